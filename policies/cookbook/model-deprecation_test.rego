package model_deprecation_test

import rego.v2

import data.attache.request

going_to(names) := {"candidates": [{"provider": p, "model": m} | some name in names; [p, m] := split(name, "/")]}

test_the_successor_takes_its_place if {
	doc := going_to(["anthropic/claude-sonnet-4-5", "openai/gpt-4", "openai/gpt-5"])
	{"chain": ["anthropic/claude-sonnet-4-5", "openai/gpt-4o", "openai/gpt-5"]} in request.route with input as doc
	{"on": "response", "name": "deprecation", "value": "true"} in request.header with input as doc
	{"deprecated": "true"} in request.label with input as doc
}

test_others_are_left_alone if {
	not ({"deprecated": "true"} in request.label) with input as going_to(["openai/gpt-4o"])
}
