#!/bin/sh
# What `make run` runs: mock providers, gateway and Envoy, and what to ask them.
# A provider whose key is in the environment (OPENAI_API_KEY, ANTHROPIC_API_KEY)
# is the real one. Everything below run/ is made anew at each start.
set -eu
cd "$(dirname "$0")/.."

rm -rf run
mkdir run
sockets=$(mktemp -d) # the path of a socket must be short
processes=
stop() {
	for p in $processes; do kill "$p" 2>/dev/null || true; done
	wait
	rm -rf "$sockets"
}
trap stop EXIT
trap 'echo; echo "ending"; exit 0' INT TERM

# await FILE TEXT PROCESS: until the file has the text.
await() {
	until grep -q "$2" "$1" 2>/dev/null; do
		kill -0 "$3" 2>/dev/null || { cat run/*.err >&2; exit 1; }
		sleep 0.1
	done
}

# mock NAME FLAG... starts a mock provider. Its address is in run/NAME.addr.
mock() {
	bin/mock -name "$@" >"run/$1.addr" 2>"run/$1.err" &
	processes="$! $processes"
	await "run/$1.addr" : $!
}

# provider NAME PATH MODEL PRICES prints a line of attache.yaml. PATH is what the
# base URL ends in.
provider() {
	variable=$(echo "$1" | tr '[:lower:]' '[:upper:]')_API_KEY
	if eval "[ -n \"\${$variable:-}\" ]"; then
		echo "$1: the real one, with \$$variable" >&2
		echo "  $1: {kind: $1, key: \"\${$variable}\"}"
		return
	fi
	echo "$1: a mock; set $variable for the real one" >&2
	mock "$1" -dialect "$1"
	echo "  $1: {kind: $1, key: mock, url: \"http://$(cat "run/$1.addr")$2\", prices: {$3: $4}}"
}

# Ports that are free, the usual ones if possible.
ports=$(python3 -c '
import socket
def bind(port):
    try: return socket.create_server(("127.0.0.1", port))
    except OSError: return socket.create_server(("127.0.0.1", 0))
sockets = [bind(port) for port in (8080, 9000, 9901)]
print(*(s.getsockname()[1] for s in sockets))')
set -- $ports
url=http://127.0.0.1:$1

mock flaky -dialect openai -fault 503
mock local -dialect openai -log 1
cat >run/attache.yaml <<END
listen: unix:$sockets/attache.sock
admin: 127.0.0.1:$2
envoy: {port: $1, admin: "127.0.0.1:$3"}

providers:
END
provider openai /v1 gpt-4o-mini '{input: 0.15, output: 0.60}' >>run/attache.yaml
provider anthropic '' claude-haiku-4-5 '{input: 1, output: 5}' >>run/attache.yaml
cat >>run/attache.yaml <<END
  flaky: {kind: openai, url: "http://$(cat run/flaky.addr)/v1"}   # answers 503
  local: {kind: openai, url: "http://$(cat run/local.addr)/v1", prices: {small: {input: 0.05, output: 0.10}}}

models:
  smart: {targets: [flaky/small, openai/gpt-4o-mini], first_token: 20s}

auth: {mode: keys, file: keys.json}
policy: {dir: ../policies}
guards:
  - name: pii
    wasm: ../wasm-plugins/pii/pii.wasm
    sha256: $(cut -d' ' -f1 wasm-plugins/pii/pii.wasm.sha256)
ledger: {sqlite: ledger.db}
END
key=$(bin/attache keys new -c run/attache.yaml -name make-run -team demo -labels tier=free 2>run/keys.err) || { cat run/keys.err >&2; exit 1; }

bin/attache up -c run/attache.yaml >run/up.out 2>run/up.err &
gateway=$!
processes="$gateway $processes"
await run/up.out ready $gateway

cat <<END

Ready. Try these in another terminal:

1. OpenAI's format and a model of Anthropic: request and response are translated.

curl -sw '\n' $url/v1/chat/completions -H 'authorization: Bearer $key' \\
  -d '{"model": "anthropic/claude-haiku-4-5", "messages": [{"role": "user", "content": "Say hello."}]}'

2. Anthropic's format, streamed. The first target of "smart" fails, a model of OpenAI answers: see x-attache-provider and -attempts.

curl -sNi $url/v1/messages -H 'x-api-key: $key' -H 'anthropic-version: 2023-06-01' \\
  -d '{"model": "smart", "max_tokens": 100, "stream": true, "messages": [{"role": "user", "content": "Say hello."}]}'

3. A guard takes the address out, the policy lowers max_tokens. The second command shows what the provider (a mock) got.

curl -sw '\n' $url/v1/chat/completions -H 'authorization: Bearer $key' \\
  -d '{"model": "local/small", "max_tokens": 4000, "messages": [{"role": "user", "content": "Write to jane.doe@example.com."}]}'
curl -s http://$(cat run/local.addr)/_mock/log | grep -o '"body":.*'

What that cost:  bin/attache usage -c run/attache.yaml
Change the rules in policies/, and the next request is under the new ones. Logs: run/up.err, run/envoy.log. Ctrl-C ends it.
END
wait $gateway || { cat run/up.err >&2; exit 1; }
