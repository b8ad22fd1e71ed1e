#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench_map as a program: names and form of its figures, values where they are known, and how it fails. Contestants
of one race must find the same owners, or the bench itself ends."""
import subprocess
import sys

bench = sys.argv[1]


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


def fails(says, *args):
    done = run(*args)
    assert done.returncode == 2 and says in done.stderr and not done.stdout, (args, done.returncode, done.stderr)


PEERS = ("std_map", "absl_btree", "sorted_array", "stree", "lmdb")
small = ("--rounds", 2, "--probes", 2000)

f = figures("lookup", "--entries", "1,17,3000", *small)
for n in (1, 17, 3000):
    for layout in ("uniform", "crowded", "sequential"):
        for probes in ("even", "zipf"):
            for mode in ("independent", "dependent"):
                at = f"u64_{n}_{layout}_{probes}_{mode}_"
                assert f[at + "ours_ns"] > 0 and all(f[f"{at}ours_over_{peer}"] > 0 for peer in PEERS)
            assert f[f"u64_{n}_{layout}_{probes}_independent_ours_batched_ns"] > 0
        assert f[f"u64_{n}_{layout}_ours_saved_bytes"] > 0
    assert f[f"bytes_{n}_even_independent_ours_over_absl_btree"] > 0
assert f["u64_3000_uniform_ours_bytes"] >= 12, "a key and an owner take so much"

f = figures("hash", "--entries", "200", *small)
assert f["hash_200_ours_moved_on_add"] == 1 and f["hash_200_ours_moved_on_remove"] == 1
assert f["hash_200_ours_any_ids_moved_on_remove"] == 1 and f["hash_200_anchor_moved_on_remove"] == 1
assert f["hash_200_ketama_moved_on_add"] == 1 and f["hash_200_jump_moved_on_add"] == 1
assert 1.8 < f["hash_200_jump_moved_on_remove"] < 2.2, "the last node's keys move too"
assert f["hash_200_maglev_moved_on_remove"] > 1
assert abs(f["hash_200_ours_max_over_mean"] - f["hash_200_dice_max_over_mean"]) < 0.02
assert f["hash_200_ketama_max_over_mean"] > 1.1
assert f["hash_200_removed20_ours_bytes"] < f["hash_200_removed20_anchor_bytes"]
for name in ("shards_10000_on_100", "shards_100000_on_1000"):
    assert f[name + "_max_over_mean"] <= 1.05 and f[name + "_uneven_max_over_mean"] <= 1.05 + 1e-9
    assert f[name + "_moved_on_remove"] == 1 and f[name + "_moved_on_add"] <= 1

f = figures("publish", "--entries", "5000", *small)
assert all(f["publish_" + name] > 0 for name in ("one", "1000", "rebuild", "lmdb_put", "flat_copy"))

f = figures("readers", "--entries", "2000", "--rounds", 1, "--probes", 2000)
assert f["readers_raw_ns"] > 0 and "readers_ours_pin_over_raw" in f and "readers_rwlock_two_over_one" in f
assert f["stalled_retired"] > 0 and f["stalled_lag"] >= 1000 and f["stalled_retired_after"] == 0

fails("no part", "nothing")
fails("usage", )
fails("no list", "hash", "--entries", "12,x")
fails("one size", "publish", "--entries", "10,20")
fails("at least 100", "hash", "--entries", "7")
assert run("--help").returncode == 0
