package latency_slo_test

import rego.v2

import data.attache.request

stream(times) := {"request": {"stream": true}, "candidates": [{"first_token_ms": t} | some t in times]}

at_risk(doc) if {"slo": "at_risk"} in request.label with input as doc

test_streams_have_an_objective if {
	{"prefer": "first_token", "weight": 3, "first_token_ms": 1500} in request.route with input as stream([])
}

test_others_have_none if {
	every r in request.route {
		not r.first_token_ms
	} with input as {"request": {"stream": false}, "candidates": []}
}

test_the_label if {
	at_risk(stream([1600, 9000]))
	not at_risk(stream([1600, 900]))
	not at_risk(stream([0])) # not known
	not at_risk(stream([]))
}
