#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the predshard tool and runs the main job on the shipped sample: 686,938 real flights, SQLite as the
# engine, three policies in a fair race. Arguments go to `predshard run`. Results land in .build/quickstart.
set -eu
cd "$(dirname "$0")/.."
bash examples/install.sh 'building and running the predshard tool' \
  gcc libc6-dev meson ninja-build pkg-config python3 libsqlite3-dev liblzma-dev libjansson-dev libpg-query-dev \
  libjs-chart.js
build=.build/quickstart
[ -f $build/build.ninja ] || meson setup $build --buildtype=release -Dauto_features=auto >/dev/null
ninja -C $build examples/predshard/predshard >/dev/null
rm -rf $build/run
mkdir -p $build/run
exec $build/examples/predshard/predshard run examples/data/flights_6weeks.csv.xz \
  --db $build/run --json $build/run/result.json --report $build/run/report.html "$@"
