package ab_test_test

import rego.v2

import data.attache.request

asks(model) := {"request": {"model": model}}

test_users_are_divided if {
	some r in request.route with input as asks("smart")
	r.split == {"by": "user", "shares": {"openai/gpt-4o": 50, "anthropic/claude-sonnet-4-5": 50}}
	{"experiment": "smart-2026-12"} in request.label with input as asks("smart")
}

test_other_models_are_not_in_the_test if {
	not in_test("cheap")
}

in_test(model) if {
	some r in request.route with input as asks(model)
	r.split.shares["openai/gpt-4o"]
}
