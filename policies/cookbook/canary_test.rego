package canary_test

import rego.v2

import data.attache.request

from(labels) := {"request": {"model": "writer"}, "caller": {"labels": labels}}

test_most_stay if {
	some r in request.route with input as from({})
	r.split.shares == {"openai/gpt-5": 5, "openai/gpt-4o": 95}
}

test_testers_always_get_it if {
	{"chain": ["openai/gpt-5", "openai/gpt-4o"]} in request.route with input as from({"ring": "canary"})
	every r in request.route { # rather than a share
		not r.split.shares["openai/gpt-5"]
	} with input as from({"ring": "canary"})
}
