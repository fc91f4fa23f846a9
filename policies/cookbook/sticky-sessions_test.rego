package sticky_sessions_test

import rego.v2

import data.attache.request

test_sessions_stick if {
	some r in request.route with input as {"request": {"model": "gpt-4o"}}
	r.split.by == "session"
}
