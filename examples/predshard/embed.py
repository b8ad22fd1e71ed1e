#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Files as C arrays: embed.py OUT.c NAME=FILE... Each becomes `const char embedded_NAME[]`, NUL-terminated."""
import sys

with open(sys.argv[1], "w", encoding="ascii") as out:
    out.write("/* Made by embed.py: do not edit. */\n")
    for argument in sys.argv[2:]:
        name, path = argument.split("=", 1)
        with open(path, "rb") as source:
            data = source.read()
        out.write(f"extern const char embedded_{name}[];\nconst char embedded_{name}[] = {{\n")
        for start in range(0, len(data), 24):
            out.write(" ".join(f"{b if b < 128 else b - 256}," for b in data[start:start + 24]) + "\n")
        out.write("0 };\n")
