#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The C example in README.md compiles, links and runs: readme.py ROOT LIBRARY_FOLDER"""
import pathlib
import re
import subprocess
import sys
import tempfile

root, library = pathlib.Path(sys.argv[1]), sys.argv[2]
blocks = re.findall(r"```c\n(.*?)```", (root / "README.md").read_text(), flags=re.S)
assert len(blocks) == 1, "README.md has one C example"
lines = [line for line in blocks[0].splitlines() if line.strip()]
assert len(lines) <= 36, f"{len(lines)} lines are no short example"
with tempfile.TemporaryDirectory() as folder:
    source = pathlib.Path(folder) / "readme.c"
    source.write_text(blocks[0])
    subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{root}/include", source, f"-L{library}",
                    "-lpredshard", "-o", f"{folder}/readme"], check=True)
    run = subprocess.run([f"{folder}/readme"], env={"LD_LIBRARY_PATH": library}, capture_output=True, text=True)
    print(run.stdout, run.stderr)
    assert run.returncode == 0 and run.stdout.strip(), "the example says something and exits with 0"
