#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A file of lib/ includes only lower floors and its own folder; nothing but lib/ includes lib/."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
floor = {"base": 0, "ds": 1, "math": 2, "codec": 2, "value": 3, "match": 3, "model": 3, "forecast": 4, "map": 4, "tiers": 4,
         "views": 4, "route": 4, "drive": 5, "autopilot": 6}
# Public headers by floor: an object's header is its floor's business.
public = {"base": 0, "schema": 1, "query": 3, "keys": 3, "epochs": 1, "ranges": 1, "hashing": 1, "balance": 1, "change": 3, "view": 3, "answer": 3, "forecast": 3,
          "model": 3, "detector": 3, "plan": 3, "world": 3, "host": 3, "forecaster": 4, "events": 4, "workload": 4, "segments": 4, "map": 4, "bulk": 4, "capacity": 4, "share": 5,
          "tiers": 4, "materializer": 4, "router": 4,
          "driver": 5, "autopilot": 6}
owner = {"forecaster": "forecast", "events": "forecast", "workload": "forecast", "segments": "forecast", "map": "map", "bulk": "map", "capacity": "map", "tiers": "tiers", "materializer": "views", "router": "route"}
bad = []
for path in sorted((root / "lib").rglob("*.[ch]")):
    folder = path.relative_to(root / "lib").parts[0]
    for line in path.read_text().splitlines():
        inside = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        outside = re.match(r"\s*#\s*include\s+<predshard/(\w+)\.h>", line)
        if inside:
            other = inside.group(1).split("/")[0]
            if other not in floor or (other != folder and floor[other] > floor[folder]):
                bad.append(f"{path}: {line}")
            elif other != folder and floor[other] == floor[folder] == 4:
                bad.append(f"{path}: objects do not include one another: {line}")
        if outside:
            header = outside.group(1)
            if public[header] > max(floor[folder], 3 if floor[folder] in (1, 2) else 1):
                bad.append(f"{path}: {line}")
            elif floor[folder] == 4 and owner.get(header, folder) != folder:
                bad.append(f"{path}: objects do not include one another: {line}")
for folder in ("examples", "bench"):
    for path in (root / folder).rglob("*.[ch]"):
        if re.search(r'#\s*include\s+"(' + "|".join(floor) + r')/', path.read_text()):
            bad.append(f"{path}: includes the library's insides")
print("\n".join(bad))
sys.exit(bool(bad))
