#!/bin/sh
. "$(dirname "$0")/../lib.sh"

mock openai -dialect openai
mock frankfurt -dialect openai

# Keys can be made before the gateway runs and while it does.
newkey() { "$attache" keys new -c attache.yaml "$@" 2>note || die "$(cat note)"; }
berlin=$(newkey -name berlin -team berlin -labels residency=eu,tier=free)
boston=$(newkey -name boston -team boston)
up

hello='"messages":[{"role":"user","content":"Say hello."}]'
image='{"type":"image_url","image_url":{"url":"https://example.com/cat.png"}}'

say "Without a key"
ask /v1/chat/completions '{"model":"smart",'"$hello"'}'

say "A key without labels: the first target of the model"
ask /v1/chat/completions '{"model":"smart",'"$hello"'}' "authorization: Bearer $boston"
received openai

say "A key whose label says eu: only what has the tag; its tier limits max_tokens"
ask /v1/chat/completions '{"model":"smart","max_tokens":4000,'"$hello"'}' "authorization: Bearer $berlin"
received frankfurt

say "Where no target is left"
ask /v1/chat/completions '{"model":"openai/gpt-4o",'"$hello"'}' "authorization: Bearer $berlin"

say "A denial"
ask /v1/chat/completions '{"model":"smart","messages":[{"role":"user","content":['"$image"']}]}' "authorization: Bearer $boston"

say "What would come out the same again is paid for once"
ask /v1/chat/completions '{"model":"smart","temperature":0,'"$hello"'}' "authorization: Bearer $boston"
received openai
ask /v1/chat/completions '{"model":"smart","temperature":0,"stream":true,'"$hello"'}' "authorization: Bearer $boston"
received openai

# Records are written behind the requests; all are there when the gateway has ended.
down

say "attache usage"
echo
"$attache" usage -c attache.yaml | sed -E 's/key-[a-z2-7]{16}/key-0123456789abcdef/' |
	{ IFS= read -r header; echo "$header"; LC_ALL=C sort -k 2; }

finish
