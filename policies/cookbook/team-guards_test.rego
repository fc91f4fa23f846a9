package team_guards_test

import rego.v2

import data.attache.request

of(team) := {"caller": {"team": team}}

test_most_are_guarded if {
	{"name": "pii"} in request.guard with input as of("search")
	{"name": "pii"} in request.guard with input as of("")
}

test_some_are_not if {
	not ({"name": "pii"} in request.guard) with input as of("legal")
	{"guarded": "no"} in request.label with input as of("legal")
}
