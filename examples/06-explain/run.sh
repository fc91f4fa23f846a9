#!/bin/sh
. "$(dirname "$0")/../lib.sh"

mock openai -dialect openai
mock frankfurt -dialect openai

newkey() { "$attache" keys new -c attache.yaml "$@" 2>note || die "$(cat note)"; }
ann=$(newkey -name ann -roles admin -labels tier=free)
bob=$(newkey -name bob -labels tier=gold)
up

# Ids, revisions and times are others each time.
steady() {
	sed -E 's/"request":"[0-9a-f]+"/"request":"ID"/; s/"policy":"[0-9a-f]+"/"policy":"REVISION"/; s/[0-9a-f]{40}/ID/g; s/by policy [0-9a-f]+/by policy REVISION/; s/policy [0-9a-f]{12} against [0-9a-f]{12}/policy REVISION against REVISION/'
}
hello='"messages":[{"role":"user","content":"Say hello."}]'
image='"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/cat.png"}}]}]'

say "Who may not ask"
ask /v1/chat/completions '{"model":"smart",'"$hello"'}' "authorization: Bearer $bob" "x-attache-explain: 1"

say "Beside the answer"
ask /v1/chat/completions '{"model":"smart",'"$hello"'}' "authorization: Bearer $ann" "x-attache-explain: 1" | steady

say "Instead of an answer: no provider is called"
ask /v1/chat/completions '{"model":"smart",'"$hello"'}' "authorization: Bearer $ann" "x-attache-explain: only" "x-attache-property-data: personal" | steady

say "Later: by the id of a request"
ask /v1/chat/completions '{"model":"smart",'"$image"'}' "authorization: Bearer $ann" | steady
id=$(tr -d '\r' <"$work/head" | sed -n 's/^x-attache-request-id: //p')
ask /v1/chat/completions '{"model":"smart",'"$image"'}' "authorization: Bearer $bob" | steady

# The log is written behind the requests; all is there when the gateway has ended.
down

say "attache policy explain --id"
echo
"$attache" policy explain -c attache.yaml --id "$id" | steady

say "attache policy replay: what would other rules have said?"
echo
"$attache" policy replay -c attache.yaml --candidate stricter --fail-on 'new-deny>5%' >replay 2>note && die "no condition holds"
sed 's/  *$//' replay | steady
cat note

finish
