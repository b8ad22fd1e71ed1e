#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what the tests need, builds three times (gcc; clang with ASan and UBSan; gcc with TSan for what has
# threads), runs all tests and ends with `N passed, N failed, N skipped`. In CI warnings are errors.
set -eu
cd "$(dirname "$0")/.."
bash examples/install.sh 'building and running the tests' \
  gcc g++ clang libclang-rt-14-dev llvm libc6-dev meson ninja-build pkg-config python3 git binutils xz-utils \
  libcmocka-dev libsqlite3-dev liblzma-dev libjansson-dev libpg-query-dev libjs-chart.js libabsl-dev liblmdb-dev \
  liburcu-dev
werror=false
[ "${CI:-}" = true ] && werror=true
root=.build/tests
mkdir -p $root
logs=()
failed_builds=0

# build NAME COMPILER SUITES MESON_OPTIONS...: sets up, builds, runs the suites ('' = all); keeps the log.
build() {
  local name=$1 compiler=$2 suites=$3 dir=$root/$1 wipe=''
  shift 3
  echo "== $name"
  [ -f $dir/build.ninja ] && wipe=--wipe
  if ! CC=$compiler meson setup $wipe $dir -Dwerror=$werror "$@" >$root/$name.setup.log 2>&1; then
    tail -n 30 $root/$name.setup.log
    failed_builds=$((failed_builds + 1))
    return 0
  fi
  local arguments=()
  for suite in $suites; do arguments+=(--suite "$suite"); done
  meson test -C $dir --timeout-multiplier 4 --print-errorlogs "${arguments[@]}" || true
  if [ -f $dir/meson-logs/testlog.json ]; then logs+=($dir/meson-logs/testlog.json); else
    failed_builds=$((failed_builds + 1))
  fi
}

leaks=1
[ -r /proc/self/task ] || leaks=0 # the leak checker reads it; the tests count blocks themselves, too
export ASAN_OPTIONS=detect_leaks=$leaks:abort_on_error=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
rm -f $root/*/meson-logs/testlog.json
build gcc gcc '' --buildtype=debugoptimized
build sanitize clang 'unit conformance loop fault oom' -Db_sanitize=address,undefined -Db_lundef=false
build threads gcc threads -Db_sanitize=thread
exec python3 tests/summary.py $failed_builds "${logs[@]}"
