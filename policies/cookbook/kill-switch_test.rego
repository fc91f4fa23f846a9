package kill_switch_test

import rego.v2

import data.attache.request

going_to(names) := {"candidates": [{"provider": p, "model": m} | some name in names; [p, m] := split(name, "/")]}

refused(doc) if {
	some d in request.deny with input as doc
	d.code == "switched_off"
}

test_what_is_off_is_left_out if {
	{"exclude": {"provider": "retired"}} in request.route with input as going_to([])
	{"exclude": {"model": "gpt-4-32k"}} in request.route with input as going_to([])
}

test_refused_if_nothing_is_left if {
	refused(going_to(["retired/gpt-4o", "openai/gpt-4-32k"]))
	not refused(going_to(["retired/gpt-4o", "openai/gpt-4o"]))
	not refused(going_to([]))
}

test_everything if {
	some d in request.deny with request.off as {"everything": true, "providers": set(), "models": set()} with input as going_to([])
	d.retry_after_s == 300
}
