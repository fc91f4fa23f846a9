package long_context_test

import rego.v2

import data.attache.request

asks(model, tokens) := {"request": {"model": model, "tokens": {"input": tokens}}}

long := {"chain": ["google/gemini-2.5-pro", "anthropic/claude-sonnet-4-5"]}

test_long_prompts if {
	long in request.route with input as asks("smart", 50001)
}

test_others if {
	not long in request.route with input as asks("smart", 50000)
	not long in request.route with input as asks("cheap", 90000)
}
