#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sizes and offsets of every public struct, against layout.txt: layout.py ROOT [--update].

Within a major version a struct may grow at its end (update the file), never change before it.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

root = pathlib.Path(sys.argv[1])
table = root / "tests/checks/layout.txt"
lines = []
for header in sorted((root / "include").rglob("*.h")):
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    for name, body in re.findall(r"typedef struct (psh_\w+) \{(.*?)\n\} \1;", text, flags=re.S):
        body = re.sub(r"union \{.*?\} (\w+);", r"int \1;", body, flags=re.S)
        fields = re.findall(r"(?:\(\*(\w+)\)\s*\([^;]*\)|(\w+)(?:\[\w+\])?);", body)
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        lines += [f'printf("  {a or b} %zu\\n", offsetof({name}, {a or b}));' for a, b in fields]
with tempfile.TemporaryDirectory() as folder:
    source = pathlib.Path(folder) / "layout.c"
    source.write_text("#include <stdio.h>\n#include <predshard.h>\nint main(void) {\n" + "\n".join(lines) +
                      "\nreturn 0;\n}\n")
    subprocess.run(["cc", f"-I{root}/include", "-o", f"{folder}/layout", source], check=True)
    now = "# SPDX-License-Identifier: MIT\n" + subprocess.run([f"{folder}/layout"], check=True, capture_output=True,
                                                             text=True).stdout
if "--update" in sys.argv:
    table.write_text(now)
old = table.read_text()
if now != old:
    import difflib
    print("\n".join(difflib.unified_diff(old.splitlines(), now.splitlines(), "layout.txt", "headers", lineterm="")))
sys.exit(now != old)
