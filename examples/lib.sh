# What the examples have in common. A run.sh reads this file and then calls
#
#   mock NAME FLAG...   a mock provider in the place of the provider NAME
#   up                  the gateway and Envoy, with the example's attache.yaml
#   say TEXT            a heading
#   ask PATH BODY HEADER...   posts BODY and prints the answer
#   received NAME       prints what the mock provider got since the last time
#   down                ends the gateway and Envoy
#   finish              compares everything printed with expected.txt
#
# The example runs in a copy below TMPDIR, on free ports, so that any number of
# them can run at a time. With UPDATE=1 expected.txt is written instead.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
name=$(basename "$here")
root=$(cd "$here/../.." && pwd)
attache=$root/bin/attache

die() { echo "$name: $*" >&2; exit 1; }

[ -n "${ENVOY:-}" ] || ENVOY=$(ls "$root"/.cache/envoy-1.40.*/envoy 2>/dev/null) || die "run make examples once: it builds and installs what this needs"
export ENVOY

work=$(mktemp -d)
mkdir "$work/examples"
cp -R "$here" "$work/examples/"
ln -s "$root/wasm-plugins" "$work/wasm-plugins"
cd "$work/examples/$name"
exec 3>&1 >"$work/out"

processes=
gateway=
stop() {
	for p in $gateway $processes; do kill "$p" 2>/dev/null || true; done
	wait
	rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM

# await FILE TEXT SECONDS PROCESS: until the file has the text.
await() {
	tenths=$(($3 * 10))
	until grep -q "$2" "$1" 2>/dev/null; do
		kill -0 "$4" 2>/dev/null && [ $tenths -gt 0 ] || { cat "$work"/*.err >&2; die "no \"$2\" in time"; }
		tenths=$((tenths - 1))
		sleep 0.1
	done
}

# mock points the provider in attache.yaml, which must be a line of its own, at
# a new mock.
mock() {
	provider=$1
	shift
	"$root/bin/mock" -name "$provider" "$@" >"$work/$provider.addr" 2>"$work/$provider.err" &
	processes="$processes $!"
	await "$work/$provider.addr" : 10 $!
	url=http://$(cat "$work/$provider.addr")
	grep -q "^  $provider: {kind: openai" attache.yaml && url=$url/v1
	sed "/^  $provider: {/{
		s|url: \"[^\"]*\"|url: \"$url\"|
		t
		s|{|{url: \"$url\", |
	}" attache.yaml >attache.yaml.new
	mv attache.yaml.new attache.yaml
	export "$(echo "$provider" | tr '[:lower:]' '[:upper:]')_API_KEY=key-for-$provider"
}

up() {
	set -- $(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(s.getsockname()[1] for s in sockets))')
	cat >>attache.yaml <<-END
	admin: 127.0.0.1:$1
	envoy: {port: $2, admin: "127.0.0.1:$3"}
	END
	base=http://127.0.0.1:$2
	"$attache" up -c attache.yaml >"$work/up.out" 2>"$work/up.err" &
	gateway=$!
	await "$work/up.out" ready: 60 $gateway
}

down() {
	kill $gateway
	wait $gateway || die "the gateway failed: $(cat "$work/up.err")"
	gateway=
}

say() { printf '\n== %s\n' "$*"; }

ask() {
	path=$1 body=$2
	shift 2
	printf '\n> POST %s\n' "$path"
	for header in "$@"; do echo "> $header" | sed 's/sk-attache-.*/KEY/'; done
	printf '> %s\n\n' "$body"
	# curl takes each header behind a -H.
	for header in "$@"; do
		shift
		set -- "$@" -H "$header"
	done
	curl -sS -N -m 30 -D "$work/head" -o "$work/body" "$@" -H 'content-type: application/json' -d "$body" "$base$path"
	tr -d '\r' <"$work/head" | grep -iE '^(HTTP|content-type|retry-after|x-attache-)' | grep -vE '^x-attache-(request-id|policy)'
	sed 's/"created":[0-9]*/"created":0/g' "$work/body"
	echo
}

received() {
	python3 - "$(cat "$work/$1.addr")" "$1" "$work/$1.seen" <<-'END'
	import json, os, sys, urllib.request
	addr, name, seen = sys.argv[1:]
	log = json.load(urllib.request.urlopen(f"http://{addr}/_mock/log"))
	start = int(open(seen).read()) if os.path.exists(seen) else 0
	open(seen, "w").write(str(len(log)))
	for entry in log[start:]:
	    print(f"\n{name} got {entry['method']} {entry['path']}")
	    for header in ("Authorization", "X-Api-Key"):
	        if header in entry["header"]:
	            print(f"{header.lower()}: {entry['header'][header][0]}")
	    print(entry["body"])
	END
}

finish() {
	[ -z "$gateway" ] || down
	sed -i.bak '1{/^$/d;}' "$work/out"
	cat "$work/out" >&3
	if [ -n "${UPDATE:-}" ]; then
		cp "$work/out" "$here/expected.txt"
	elif ! diff -u "$here/expected.txt" "$work/out" >&2; then
		die "not as expected"
	fi
	echo "ok  $name" >&2
}
