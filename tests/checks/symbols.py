#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Exported symbols = version map = functions declared in the headers. symbols.py ROOT LIBRARY"""
import pathlib
import re
import subprocess
import sys

root, library = pathlib.Path(sys.argv[1]), sys.argv[2]
text = "".join(re.sub(r"/\*.*?\*/", "", h.read_text(), flags=re.S) for h in sorted((root / "include").rglob("*.h")))
declared = set(re.findall(r"PSH_API[^;{]*?\b(psh_\w+)\s*\(", text))
mapped = set(re.findall(r"\b(psh_\w+);", (root / "lib/predshard.map").read_text()))
lines = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
exported = {line.split()[-1].split("@")[0] for line in lines.splitlines() if line.split()[1] in "TDBRVW"}
exported -= {"PREDSHARD_0"}
for name, a, b in (("declared, not in the map", declared, mapped), ("in the map, not declared", mapped, declared),
                   ("in the map, not exported", mapped, exported), ("exported, not in the map", exported, mapped)):
    for symbol in sorted(a - b):
        print(f"{name}: {symbol}")
sys.exit(not declared or not (declared == mapped == exported))
