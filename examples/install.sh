#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs the Debian packages named on the command line that are missing: as root, or with sudo. Sourced or run
# by quickstart.sh and tests/run.sh; does nothing, and needs no rights, where they are all there.
# Usage: examples/install.sh WHY PACKAGE...
set -eu
why=$1
shift
missing=()
for package in "$@"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
echo "Installing for $why: ${missing[*]}" >&2
if ! command -v apt-get >/dev/null; then
  echo "This is no Debian system: install the like of these yourself: ${missing[*]}" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "Neither root nor sudo: run 'apt-get install ${missing[*]}' as root, then this again." >&2
    exit 1
  fi
  as_root=(sudo)
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" apt-get update -q && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "Installing failed: see the lines above." >&2
  exit 1
fi
