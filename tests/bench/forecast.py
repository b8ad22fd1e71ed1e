#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench_forecast as a program: names and form of its figures, values where they are known, and how it fails."""
import datetime
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile

bench = sys.argv[1]
folder = pathlib.Path(tempfile.mkdtemp(prefix="bench_forecast_"))


def run(*args):
    return subprocess.run([bench, *map(str, args)], capture_output=True, text=True)


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
    # A program that ends in the middle frees nothing: that is no leak.
    env = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
    done = subprocess.run([bench, *map(str, args)], capture_output=True, text=True, env=env)
    assert done.returncode == code and says in done.stderr, (args, done.returncode, done.stderr)
    assert not done.stdout, (args, done.stdout)


def write(name, text):
    (folder / name).write_text(text)
    return folder / name


def near(a, b):
    return abs(a - b) <= 1e-5 * (1 + abs(b))


CONTEST = ("series", "owa", "smape", "mase", "msis", "coverage95", "fit_ms", "update_ns", "state_bytes")
LEADS = ("1h", "24h", "168h")

# m4: what repeats exactly is foretold exactly by the seasonal naive; the second series is off by a known step.
week = [100 + (h * 7) % 24 + 5 * (h // 24) for h in range(168)]
train = week * 3
step = [x + 10 for x in week[:24]]


def line(name, values):
    return ",".join([name, *map(str, values)]) + "\n"


files = ("--train", write("train.csv", line("A", train) + line("B", train)),
         "--test", write("test.csv", line("B", step) + line("A", week[:24])))
f = figures("m4", *files, "--period", 24, "--model", "seasonal naive")
assert set(CONTEST) <= set(f) and f["series"] == 2
assert near(f["smape"], sum(200 * 10 / (x + x - 10) for x in step) / 24 / 2)
scale = sum(abs(train[i] - train[i - 24]) for i in range(24, len(train))) / (len(train) - 24)
assert near(f["mase"], 10 / scale / 2)
assert near(f["coverage95"], 0.5), "an interval of width 0 holds what it says alone"
assert near(f["msis"], 2 / 0.05 * 10 / scale / 2)
f = figures("m4", *files, "--period", "24,168", "--model", "seasonal naive", "--holdout", "--origins", 2)
assert f["series"] == 4 and f["smape"] == 0 and f["owa"] == 0
assert figures("m4", *files, "--period", "24,0", "--first", 1, "--model", "seasonal naive")["smape"] > 0
f = figures("m4", *files, "--period", 24, "--model", "seasonal naive", "--history", 24)
assert near(f["mase"], sum(abs(a - b) + abs(a - c) for a, b, c in zip(week[144:], step, week)) / 24 / scale / 2)
done = subprocess.run([bench, "m4", *map(str, files), "--period", "24", "--r", "1"], capture_output=True, text=True,
                      env=dict(os.environ, PATH="/nowhere"))
assert done.returncode == 0 and "R is left out" in done.stderr and "\t" not in done.stdout, done.stderr
assert done.stdout.startswith("series ") and "ours_owa" in done.stdout
page = folder / "page.html"
figures("m4", *files, "--period", 24, "--plot", page)
text = page.read_text()
assert text.count("<svg") == 2 and "src=" not in text and "href=" not in text and "OWA" in text

# m3: the naive forecast of a line that rises by one is off by 1, 2, 3.
f = figures("m3", write("m3", "N1 1 3 4 1 2 3 4 5 6 7\n"), "--model", "naive")
assert set(CONTEST) <= set(f) and near(f["mase"], 2) and near(f["owa"], 1)

# sparse: the naive forecast is the last value.
f = figures("sparse", "--csv", write("rows.csv", "0,2,0,1,1,3\n,1\n"), "--horizon", 2, "--model", "naive")
assert f["series"] == 1 and near(f["rmsse"], math.sqrt((0 + 4) / 2 / ((4 + 4 + 1) / 3)))
assert 0 <= f["coverage_upper95"] <= 1

# loads: two busy keys and one that is mostly idle; no row is a zero.
random.seed(1)
rows = []
for hour in range(40 * 24):
    stamp = f"{datetime.datetime(2001, 1, 1) + datetime.timedelta(hours=hour):%Y-%m-%d %H:%M}"
    wave = 10 * math.sin(hour / 24 * 6.2832)
    rows += [f"{stamp},k{k},{int(20 * (k + 1) + wave + random.random() * 5)}" for k in (0, 1)]
    rows += [f"{stamp},idle,1"] if hour % 100 == 7 else []
loads = ("loads", "--csv", write("loads.csv", "time,who,n\n" + "\n".join(rows) + "\n"), "--time-column", "time",
         "--key-column", "who")
f = figures(*loads, "--value-column", "n", "--min-active", 0.5)
wanted = [f"{a}_{b}" for a in ("mse_log1p", "coverage90") for b in LEADS] + ["hot10_precision", "hot_ece"]
assert set(wanted) <= set(f), set(wanted) - set(f)
assert f["keys"] == 2
assert all(0 <= f[f"mse_log1p_{b}"] < 0.2 and 0.5 < f[f"coverage90_{b}"] <= 1 for b in LEADS)
assert figures(*loads, "--no-peers")["keys"] == 3, "without a value column rows are counted"
known = write("known.csv", "from,to,name,key\n2001-02-01,2001-02-02,sale,k1\n2001-02-05,2001-02-06,sale,\n")
assert figures(*loads, "--value-column", "n", "--no-peers", "--events", known)["keys"] == 3
again = figures(*loads, "--value-column", "n", "--min-active", 0.5)
assert all(f[name] == again[name] or math.isnan(f[name]) for name in wanted), "the same twice"

# events: every ninth day doubles.
day = [datetime.date(2011, 1, 1) + datetime.timedelta(days=d) for d in range(84)]
rows = [f"{day[d].month}/{day[d].day}/2011,{h},{int((100 + h * 5) * (2 if d % 9 == 4 else 1))},{int(d % 9 == 4)}"
        for d in range(84) for h in range(24)]
f = figures("events", "--csv", write("events.csv", "day,hr,n,off\n" + "\n".join(rows) + "\n"),
            "--time-column", "day", "--hour-column", "hr", "--value-column", "n", "--event-column", "off")
assert {f"error_{a}_{b}" for a in ("event", "normal") for b in ("aware", "unaware")} <= set(f)
assert f["error_event_unaware"] > f["error_normal_unaware"] > 0
assert f["event_steps"] == 24 * sum(d % 9 == 4 for d in range(42, 84))

# cost
f = figures("scale", "--series", 200, "--weeks", 1)
assert 201 <= f["series"] <= 233 and f["shed"] == 0  # the table's, and up to 32 segments'
assert min(f["first_fit_s"], f["update_all_s"], f["bytes_per_series"]) > 0
assert figures("probe", "scale", "--series", 10, "--weeks", 1)["series"] >= 11
f = figures("observe")
assert {"loop_ns", "observe_regular_ns", "observe_hot_ns", "observe_sparse_ns", "observe_query_ns"} <= set(f)

# How it fails: 2 = command line, 65 = content, 66 = no file; the message names what is wrong.
fails(2, "usage")
fails(2, "no part 'm5'", "m5")
fails(2, "no option '--wrong'", "m4", "--wrong")
fails(2, "--train is needed", "m4")
fails(2, "needs a value", "m4", "--train")
fails(2, "is no count", "m4", *files, "--period", 24, "--first", "-1")
fails(2, "--period", "m4", *files, "--period", "24,12")
fails(2, "--period", "m4", *files, "--period", "0")
fails(2, "no model 'oracle'", "m4", *files, "--period", 24, "--model", "oracle")
fails(2, "one word too many", "m3", "a", "b")
fails(2, "--horizon", "sparse", "--csv", folder / "rows.csv")
fails(2, "--point", *loads, "--point", "guess")
fails(2, "--min-active", *loads, "--min-active", 2)
fails(66, "nowhere", "m3", folder / "nowhere")
fails(65, "is empty", "m3", write("empty", ""))
fails(65, "line 2", "m3", write("bad_m3", "N1 1 1 2 1 2 3\nN2 1 1 2 1 2\n"))
fails(65, "'x' is no number", "sparse", "--csv", write("bad_rows", "1,2,x\n1,x,3\n"), "--horizon", 1)
fails(65, "no series 'A'", "m4", "--train", folder / "train.csv", "--test", write("other", "C,1\n"), "--period", 1)
fails(65, "no column 'hour'", *loads[:4], "hour", "--key-column", "who")
fails(65, "is no time", *loads[:4], "who", "--key-column", "time")
fails(65, "must be 0 to", "loads", "--csv", write("negative", "t,k,v\n2001-01-01,a,-1\n"), "--time-column", "t",
      "--key-column", "k", "--value-column", "v")
fails(65, "two days", "loads", "--csv", write("short", "t,k\n2001-01-01,a\n"), "--time-column", "t",
      "--key-column", "k")
fails(65, "must ascend", "events", "--csv", write("back", "t,v,e\n2001-01-02,1,0\n2001-01-01,1,0\n"),
      "--time-column", "t", "--value-column", "v", "--event-column", "e")
fails(65, "no column 'to'", *loads, "--events", write("no_end", "from,name\n2001-01-01,x\n"))
fails(65, "must end after", *loads, "--events", write("backward", "from,to,name\n2001-01-02,2001-01-01,x\n"))
(folder / "cut.xz").write_bytes(b"\xfd7zXZ\0\0\4")
fails(65, "damaged", "m3", folder / "cut.xz")
(folder / "zeros").write_bytes(b"1\0002")
fails(65, "zero bytes", "m3", folder / "zeros")
fails(73, "page.html", "m3", folder / "m3", "--plot", folder / "nowhere" / "page.html")
for path in folder.iterdir():
    path.unlink()
folder.rmdir()
