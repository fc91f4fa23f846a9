#!/bin/sh
# Builds the shipped plugins. The same toolchain gives the same bytes anywhere;
# NAME.wasm.sha256 and NAME.wasm.toolchain say which they are and from which.
# With -o DIR the modules go to DIR, and nothing else is written.
set -eu
cd "$(dirname "$0")"
out=
[ "${1-}" = -o ] && out=$(cd "$2" && pwd)

unset GOWASM GOEXPERIMENT
export GOOS=wasip1 GOARCH=wasm GOFLAGS= CGO_ENABLED=0

for plugin in pii; do
	wasm=${out:-$PWD/$plugin}/$plugin.wasm
	go build -trimpath -buildvcs=false -buildmode=c-shared -ldflags='-s -w -buildid=' -o "$wasm" "./$plugin"
	[ -n "$out" ] && continue
	(cd "$plugin" && sha256sum "$plugin.wasm" >"$plugin.wasm.sha256")
	go env GOVERSION >"$plugin/$plugin.wasm.toolchain"
done
