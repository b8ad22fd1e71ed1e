#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Adds up meson's test logs: summary.py FAILED_BUILDS LOG... Ends with `N passed, N failed, N skipped`."""
import json
import sys

passed, failed, skipped = 0, int(sys.argv[1]), 0
for log in sys.argv[2:]:
    for line in open(log, encoding="utf-8"):
        test = json.loads(line)
        if test["result"] in ("OK", "EXPECTEDFAIL"):
            passed += 1
        elif test["result"] == "SKIP":
            skipped += 1
            print("skipped:", test["name"], "|", (test.get("stdout") or "").strip().split("\n")[-1])
        else:
            failed += 1
            print("failed:", log, test["name"], test["result"])
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed or not passed else 0)
