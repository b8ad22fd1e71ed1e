#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench_replay as a program: figures that are known beforehand, and how it fails."""
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile

bench = sys.argv[1]
folder = pathlib.Path(tempfile.mkdtemp(prefix="bench_replay_"))


def run(*args):
    env = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
    return subprocess.run([bench, *map(str, args)], capture_output=True, text=True, env=env)


def figures(*args):
    """With --tsv nothing but name, value, unit, note on stdout."""
    done = run(*args, "--tsv")
    assert done.returncode == 0, (args, done.stderr)
    out = {}
    for line in done.stdout.splitlines():
        name, value, unit, note = line.split("\t")
        assert name and unit and " " not in name and name not in out, line
        out[name] = float(value)
    return out


def fails(code, says, *args):
    done = run(*args)
    assert done.returncode == code and says in done.stderr, (args, done.returncode, done.stderr)
    assert not done.stdout, (args, done.stdout)


def write(name, text):
    (folder / name).write_text(text)
    return folder / name


# A steep day: it rises tenfold within the lead, which no reactive policy can follow.
random.seed(1)
days = 24
minutes = [round((200 if 8 <= m / 60 < 18 else 20) + random.gauss(0, 3)) for _ in range(days) for m in range(1440)]
rows = "".join(f"{29000160 + i},{n}\n" for i, n in enumerate(minutes) if n)
f = figures("requests", "--csv", write("daily.csv", "minute,count\n" + rows))
judged = days * 3 / 4 * 24
assert f["minutes"] == days * 1440 and f["train_days"] == days / 4
for k in ("0.2", "1", "5"):
    assert f[f"cost_ratio_{k}"] < (0.98 if k == "0.2" else 0.9), (k, f)
    assert f[f"oracle_cost_ratio_{k}"] <= f[f"cost_ratio_{k}"] <= f[f"shuffled_cost_ratio_{k}"] * 1.01, (k, f)
    assert f[f"static_node_hours_{k}"] == 12 * judged and f[f"static_violations_{k}"] == 0
    for who in ("", "reactive_", "oracle_", "snaive_", "shuffled_"):
        assert f[f"{who}violations_{k}"] >= 0 and f[f"{who}node_hours_{k}"] >= judged
peak = max(minutes[: days * 360])
assert math.isclose(f["node_capacity"], peak / 10)

# The oracle by hand; times as text, half hours spread evenly, a comment and no header.
half = "# a comment\n" + "".join(
    f"2001-01-{1 + i // 48:02d} {i % 48 // 2:02d}:{i % 2 * 30:02d}:00,{900 if i % 48 < 6 else 90}\n" for i in range(480))
f = figures("requests", "--csv", write("half.csv", half))
assert f["minutes"] == 480 * 30 and f["node_capacity"] == 3 and f["peak_nodes"] == 10
assert f["oracle_violations_5"] == 0
assert math.isclose(f["oracle_node_hours_5"], sum(10 if i % 48 < 6 else 1 for i in range(120, 480)) / 2)

# Events that are told do not change what the reactive policies cost.
told = write("events.csv", "kickoff,end,name\n2001-01-08 00:00,2001-01-08 03:00,party\n")
g = figures("requests", "--csv", folder / "half.csv", "--events", told, "--plot", folder / "page.html")
assert "unaware_cost_ratio_1" in g and "unaware_cost_ratio_1" not in f
assert g["reactive_node_hours_1"] == f["reactive_node_hours_1"]
assert (folder / "page.html").read_text().count("<svg") == 3

# Sizing: a load that repeats each week is ready at once and idle never.
start = 978307200
hours = "time,key,n\n" + "".join(
    f"{start + (d * 24 + h) * 3600},{k},{(d % 7 + 1) * (h % 5 + 1) * (2 if k == 'b' else 1)}\n"
    for d in range(140) for h in range(24) for k in "ab")
s = figures("sizing", "--csv", write("hours.csv", hours), "--time-column", "time", "--key-column", "key",
            "--value-column", "n", "--frontier")
assert s["day_ready"] == 1 and s["day_over"] < 0.05, s
assert s["day_max1_up_ready"] == 1 and s["day_max1_up_over"] == 0
assert s["day_no_forecast"] == 0 and "hour_q0.5_up_ready" in s

fails(2, "usage", "requests")
fails(2, "no part", "nothing")
fails(66, "nothere", "requests", "--csv", folder / "nothere")
fails(65, "line 2", "requests", "--csv", write("bad.csv", "0,1\n1,-2\n"))
fails(65, "line 1", "requests", "--csv", write("bad.csv", "noon,3\n"))
fails(65, "too few", "requests", "--csv", write("bad.csv", "0,1\n1,2\n"))
fails(65, "no load", "requests", "--csv", write("bad.csv", "0,0\n9000,2\n"))
fails(65, "column from", "requests", "--csv", folder / "half.csv", "--events", write("ev.csv", "a,b\n1,2\n"))
short = write("short.csv", "t,k\n2001-01-01 00:00,a\n2001-01-09 00:00,a\n")
fails(65, "eight weeks", "sizing", "--csv", short, "--time-column", "t", "--key-column", "k")
