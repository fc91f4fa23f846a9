#!/bin/sh
. "$(dirname "$0")/../lib.sh"

mock openai -dialect openai -text and -events 1650   # tells long stories
mock local -dialect openai

newkey() { "$attache" keys new -c attache.yaml "$@" 2>note || die "$(cat note)"; }
red=$(newkey -name red -team red)
up

# tell MODEL asks for a stream and prints who answered and how it ended.
tell() {
	body='{"model":"'$1'","stream":true,"messages":[{"role":"user","content":"Tell me a long story."}]}'
	printf '\n> %s\n\n' "$body"
	curl -sS -N -m 30 -D "$work/head" -o "$work/body" -H "authorization: Bearer $red" -H 'content-type: application/json' -d "$body" "$base/v1/chat/completions"
	tr -d '\r' <"$work/head" | grep -E '^(HTTP|x-attache-(provider|model))'
	words=$(grep -o '"content":"[A-Za-z]' "$work/body" | wc -l)
	[ "$words" -eq 1650 ] && echo "the whole story" || echo "some of the story"
	grep -oE '"finish_reason":"[a-z]+"|\[DONE\]' "$work/body"
}

# left prints what the team has left, as GET /api/limits says it once no request is open.
left() {
	python3 - "http://$(sed -n 's/^admin: //p' attache.yaml)/api/limits" <<-'PYTHON'
	import json, sys, time, urllib.request
	for _ in range(100):
	    now = json.load(urllib.request.urlopen(sys.argv[1]))
	    if now["limits"][0]["most_used"][0]["used"]["concurrent"] == 0:
	        break
	    time.sleep(0.1)
	team = now["budgets"][0]["most_used"][0]
	print(team["account"], "has", team["left_permille"] // 10, "% left")
	PYTHON
}

say "A story is most of two cents"
tell smart
left

say "The money runs low: the policy takes the cheap model"
ask /v1/chat/completions '{"model":"smart","messages":[{"role":"user","content":"Say hello."}]}' "authorization: Bearer $red"

say "Another story of the dear model ends where the money does, as if the model had written enough"
tell openai/gpt-4o
left

say "The money is gone: the policy says so in its own words"
ask /v1/chat/completions '{"model":"smart","messages":[{"role":"user","content":"Say hello."}]}' "authorization: Bearer $red"

# Records are written behind the requests; all are there when the gateway has ended.
down

say "What was told on the way"
echo
sed -n 's/.*msg="a budget is used" \(.* permille=[0-9]*\).*/\1/p' "$work/up.err"

say "attache usage --budgets"
echo
"$attache" usage -c attache.yaml --budgets | sed -E 's/0\.0200[0-9]{2}/  0.0200/; s/[0-9]{4}-[0-9]{2}-01/ THE FIRST/'

finish
