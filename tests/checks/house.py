#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The house rules that a script can see: top level, licence lines, unfinished marks, lengths, status table."""
import pathlib
import re
import statistics
import sys

root = pathlib.Path(sys.argv[1])
bad = []
TOP = {"meson.build", "include", "lib", "examples", "tests", "bench", "doc", "README.md"}
for path in root.iterdir():
    if path.name not in TOP and not path.name.startswith(".") and not path.name.startswith("build"):
        bad.append(f"{path.name}: not in the layout of the top level")
marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b|not impl" + r"emented|unimpl" + r"emented", re.I)
code = [p for folder in ("include", "lib", "examples", "tests", "bench")
        for p in sorted((root / folder).rglob("*")) if p.suffix in (".c", ".h", ".py", ".sh", ".build")
        or p.name in ("meson.build",)]
assert len(code) > 50
for path in code + [root / "meson.build"]:
    text = path.read_text()
    if marks.search(text):
        bad.append(f"{path}: unfinished mark")
    if len(text.splitlines()) > 600 and path.suffix in (".c", ".h"):
        bad.append(f"{path}: over 600 lines")
    if any(len(line) > 120 for line in text.splitlines()) and path.suffix in (".c", ".h"):
        bad.append(f"{path}: a line over 120 columns")
for path in (p for p in root.rglob("*") if p.is_file()):
    parts = path.relative_to(root).parts
    if parts[0] in (".git", ".build") or "__pycache__" in parts or parts[0].startswith("build"):
        continue
    if path.suffix != ".xz" and path.name != "LICENSE" and "SPDX-License-Identifier" not in path.read_text():
        bad.append(f"{path}: no licence line")
lengths = []
for path in sorted((root / "lib").rglob("*.c")):
    start = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if re.match(r"^[a-zA-Z_].*\)\s*\{$", line) or line == "{":
            start = number
        elif line == "}" and start:
            lengths.append(number - start)
            if number - start > 100:
                bad.append(f"{path}:{start}: a function of {number - start} lines")
            start = None
if lengths:
    lengths.sort()
    median, p90 = statistics.median(lengths), lengths[int(len(lengths) * 0.9)]
    print(f"{len(lengths)} functions, median {median}, p90 {p90} lines")
    if median > 15 or p90 > 50:
        bad.append("functions are too long: median <= 15, p90 <= 50")
status = re.findall(r"X\((PSH_\w+), (-?\d+),", (root / "include/predshard/base.h").read_text())
table = (root / "doc/contract.md").read_text()
for name, number in status:
    if f"| {number} | `{name}` |" not in table:
        bad.append(f"doc/contract.md: no row for {name} = {number}")
print("\n".join(bad))
sys.exit(bool(bad))
