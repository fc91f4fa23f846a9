#!/bin/sh
. "$(dirname "$0")/../lib.sh"

mock openai -dialect openai -delay 200ms
mock anthropic -dialect anthropic
mock local -dialect openai
mock flaky -dialect openai -fault 503 -times 3   # fails three times, then it is well
up

# who MODEL HEADER... asks and prints which provider answered, after how many attempts.
who() {
	model=$1
	shift
	printf '%s' "$model"
	for header in "$@"; do
		shift
		printf ' (%s)' "$header"
		set -- "$@" -H "$header"
	done
	curl -sS -m 30 -o /dev/null -D "$work/head" "$@" -H 'content-type: application/json' \
		-d '{"model":"'"$model"'","messages":[{"role":"user","content":"Say hello."}]}' "$base/v1/chat/completions"
	tr -d '\r' <"$work/head" | awk '/^x-attache-provider/ {p = $2} /^x-attache-attempts/ {n = $2} END {print ": " p ", attempts: " n}'
}

say "The cheapest"
who cheap

say "The fastest: each is tried once, then the faster one"
who fast
who fast
who fast
who fast

say "75 to 25, request by request"
for _ in 1 2 3 4 5 6 7 8; do who shared; done

say "75 to 25, by user: always the same one"
for user in ann bob cid dan ann bob cid dan; do who trial "x-attache-user: $user"; done

say "A provider fails, until it is left alone"
for _ in 1 2 3 4; do who careful; done

say "Its time has come: a request probes it, and it is back"
sleep 2.1
who careful
who careful

finish
