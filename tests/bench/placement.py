#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The placement parts of bench_replay as a program: form of the figures, values that are known, how they fail."""
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

bench = sys.argv[1]
folder = pathlib.Path(tempfile.mkdtemp(prefix="bench_placement_"))


def figures(*args):
    """With --tsv nothing but name, value, unit, note on stdout."""
    done = subprocess.run([bench, *map(str, args), "--tsv"], capture_output=True, text=True)
    assert done.returncode == 0, (args, done.stderr)
    out = {}
    for line in done.stdout.splitlines():
        name, value, unit, note = line.split("\t")
        assert name and unit and " " not in name and name not in out, line
        out[name] = float(value)
    return out


def fails(code, says, *args):
    env = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
    done = subprocess.run([bench, *map(str, args)], capture_output=True, text=True, env=env)
    assert done.returncode == code and says in done.stderr, (args, done.returncode, done.stderr)
    assert not done.stdout, (args, done.stdout)


def write(name, data):
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder / name


def near(a, b):
    return abs(a - b) <= 1e-6 * (1 + abs(b))


# balance: sixteen keys that never change fit four nodes exactly, once somebody looks.
columns = ("--time-column", "hour", "--key-column", "key", "--value-column", "n")
rows = ["hour,key,n"]
for hour in range(240):
    rows += [f"2001-01-{1 + hour // 24:02d} {hour % 24:02d}:00,k{key},20" for key in range(16)]
steady = write("steady.csv", "\n".join(rows) + "\n")
f = figures("balance", "--csv", steady, *columns, "--nodes", 4)
for name in ("reactive", "reactive_last", "ours", "oracle", "floor"):
    assert near(f[name], 1), (name, f[name])
assert f["hash"] > 1 and f["hours"] == 120
still = figures("balance", "--csv", steady, *columns, "--nodes", 4, "--moves", 0)
assert near(still["ours"], still["hash"]) and near(still["hash"], f["hash"])

# Loads that change places every other hour: who looks back is wrong, the oracle is not.
rows = ["hour,key,n"]
for hour in range(480):
    for key in range(16):
        busy = (key + hour) % 2
        rows.append(f"2001-01-{1 + hour // 24:02d} {hour % 24:02d}:00,k{key},{30 if busy else 2}")
f = figures("balance", "--csv", write("swaps.csv", "\n".join(rows) + "\n"), *columns, "--nodes", 4)
assert f["oracle"] <= f["ours"] + 0.02 and f["ours"] <= f["reactive"] + 0.02, f

# boundaries: 256 keys asked for equally in every window are cut exactly, by the last window as by this one.
accesses = [k * 1000 for _ in range(40) for k in range(256)]
flat = write("flat.csv", "".join(f"{k}\n" for k in accesses))
f = figures("boundaries", flat, "--ranges", 8, "--window", 1024)
assert near(f["flat_reactive"], 1) and near(f["flat_oracle"], 1)
assert f["flat_hash"] >= 1 and f["flat_ours"] >= 1 and f["flat_moved"] <= 0.1
# The same numbers, whichever way they are written.
big = write("flat.trace", b"".join(struct.pack(">I", k) for k in accesses))
little = write("flat.le", b"".join(struct.pack("<I", k) for k in accesses))
lines = write("flat.lis", "".join(f"{k} 1 0 {i}\n" for i, k in enumerate(accesses)))
for path, format in ((big, "u32be"), (little, "u32le"), (lines, "arc")):
    assert figures("boundaries", path, "--format", format, "--ranges", 8, "--window", 1024) == f, path
# A front that wanders on: the boundaries of the last window are all behind it, a hash does not care.
rng = random.Random(1)
front = write("front.csv", "".join(f"{w * 4000 + rng.randrange(4000)}\n" for w in range(40) for _ in range(2000)))
f = figures("boundaries", front, "--ranges", 16, "--window", 2000)
assert f["front_reactive"] > 10 and f["front_oracle"] < 1.1, f
assert f["front_ours"] < 2 and f["front_gap_closed"] > 0.7 and f["front_moved"] <= 0.1, f

# planning
f = figures("planning", "--items", 500, "--hosts", 10)
assert set(f) == {"plan_ms_500_10", "plan_ms_500_10_all_new"} and min(f.values()) > 0
f = figures("planning", "--simulate", "--nodes", 50, "--ticks", 300)
assert f["simulate_identical"] == 1

fails(66, "nowhere.csv", "boundaries", folder / "nowhere.csv")
fails(66, "nowhere.trace", "boundaries", folder / "nowhere.trace")
fails(65, "four bytes", "boundaries", write("odd.trace", b"12345"))
fails(65, "whole number", "boundaries", write("bad.csv", "1.5\n"))
fails(65, "holds no access", "boundaries", write("empty.trace", b""))
fails(65, "three windows", "boundaries", flat, "--window", 9000)
fails(65, "damaged", "boundaries", write("cut.trace", bytes([0xFD]) + b"7zXZ\0rest"))
fails(2, "--format", "boundaries", flat, "--format", "u64")
fails(2, "--ranges", "boundaries", flat, "--ranges", 1)
fails(2, "--nodes", "balance", "--csv", steady, *columns, "--nodes", 0)
fails(2, "go together", "planning", "--items", 5)
