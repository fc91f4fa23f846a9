package team_models_test

import rego.v2

import data.attache.request

asks(team, models) := {"caller": {"team": team}, "candidates": [{"model": m} | some m in models]}

refused(doc) if {
	some d in request.deny with input as doc
	d.code == "model_not_allowed"
}

test_only_models_on_the_list if {
	doc := asks("support", ["gpt-4o", "claude-sonnet-4-5"])
	{"require": {"model": ["claude-sonnet-4-5"]}} in request.route with input as doc
	not refused(doc)
}

test_no_model_on_the_list if {
	refused(asks("support", ["gpt-4o"]))
	refused(asks("nobody", ["gpt-4o"]))
}

test_requests_without_targets if {
	not refused(asks("nobody", []))
}
