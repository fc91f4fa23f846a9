package plans_test

import rego.v2

import data.attache.request

with_plan(labels) := {"request": {"op": "chat"}, "caller": {"labels": labels}, "candidates": []}

test_bronze if {
	every labels in [{}, {"plan": "bronze"}, {"plan": "platinum"}] {
		{"require": {"model": ["gpt-4o-mini", "llama3.3"]}} in request.route with input as with_plan(labels)
		{"path": "/max_tokens", "max": 1024} in request.modify with input as with_plan(labels)
		{"plan": "bronze"} in request.label with input as with_plan(labels)
	}
}

test_silver if {
	{"path": "/max_tokens", "max": 4096} in request.modify with input as with_plan({"plan": "silver"})
}

test_gold_is_free if {
	{"plan": "gold"} in request.label with input as with_plan({"plan": "gold"})
	every r in request.route {
		not r.require.model
	} with input as with_plan({"plan": "gold"})
}

refused(doc) if {
	some d in request.deny with input as doc
	d.code == "plan_too_small"
}

test_models_beyond_the_plan if {
	asks := {"candidates": [{"model": "gpt-5"}]}
	refused(object.union(with_plan({}), asks))
	not refused(object.union(with_plan({"plan": "gold"}), asks))
	not refused(with_plan({}))
}
