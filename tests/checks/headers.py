#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each public header alone compiles cleanly as C99, C11 and C++11, without padding in any struct."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

include = pathlib.Path(sys.argv[1]) / "include"
flags = ["-Wall", "-Wextra", "-Wpedantic", "-Wpadded", "-Werror", "-fsyntax-only", f"-I{include}"]
ways = [("gcc", "c99", "c"), ("gcc", "c11", "c"), ("g++", "c++11", "cc"),
        ("clang", "c99", "c"), ("clang", "c11", "c"), ("clang++", "c++11", "cc")]
ways = [w for w in ways if shutil.which(w[0])]
assert ways, "no compiler found"
bad = 0
with tempfile.TemporaryDirectory() as folder:
    for header in sorted(include.rglob("*.h")):
        name = header.relative_to(include)
        for compiler, standard, suffix in ways:
            source = pathlib.Path(folder) / f"one.{suffix}"
            source.write_text(f"#include <{name}>\n#include <{name}>\n")
            run = subprocess.run([compiler, f"-std={standard}", *flags, source], capture_output=True, text=True)
            if run.returncode:
                bad += 1
                print(f"{name} as {standard} by {compiler}:\n{run.stderr}")
sys.exit(bad != 0)
