#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds optimised in a folder of its own and runs one bench: bench/run.sh NAME [ARGS].
# With --tsv a bench prints one line a figure and nothing else: name, value, unit, note.
set -eu
from=$PWD
cd "$(dirname "$0")/.."
root=$PWD
[ $# -ge 1 ] || { echo "usage: bench/run.sh NAME [ARGS]; names: bulk forecast hot map replay" >&2; exit 2; }
bash examples/install.sh 'building the benches' gcc g++ libc6-dev meson ninja-build pkg-config liblzma-dev \
  libjansson-dev libabsl-dev liblmdb-dev liburcu-dev
name=$1
shift
build=.build/bench
[ -f $build/build.ninja ] || meson setup $build --buildtype=release >/dev/null
ninja -C $build "bench/bench_$name" >/dev/null || { echo "no bench '$name', or it does not build" >&2; exit 2; }
cd "$from" # where the files on the command line are
exec "$root/$build/bench/bench_$name" "$@"
