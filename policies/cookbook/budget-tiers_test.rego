package budget_tiers_test

import rego.v2

import data.attache.request

cheap := {"model": "gpt-4o-mini", "output_price": 600000000}

dear := {"model": "o1-pro", "output_price": 600000000000}

unknown := {"model": "new", "output_price": -1}

asks(op, left, candidates) := {
	"request": {"op": op},
	"candidates": candidates,
	"budgets": {"team": {"left_permille": left, "resets_s": 1000000}},
}

lowered := {"chain": ["cheap"]}

refusals(doc) := {d.message | some d in request.deny with input as doc; d.code == "budget_low"}

test_plenty if {
	doc := asks("chat", 200, [dear])
	not lowered in request.route with input as doc
	not ({"on": "response", "name": "x-budget", "value": "low"} in request.header) with input as doc
	refusals(doc) == set()
}

test_low if {
	doc := asks("chat", 199, [dear])
	lowered in request.route with input as doc
	{"on": "response", "name": "x-budget", "value": "low"} in request.header with input as doc
	refusals(doc) == set()
	not lowered in request.route with input as asks("embeddings", 199, [dear])
}

test_nearly_gone if {
	count(refusals(asks("chat", 49, [dear, unknown]))) == 1
	refusals(asks("chat", 49, [dear, cheap])) == set()
	refusals(asks("models", 49, [])) == set()
}

test_when_it_starts_anew if {
	every seconds, words in {86399: "within a day", 86400: "within a week", 604800: "on the first of the month"} {
		doc := object.union(asks("chat", 49, [dear]), {"budgets": {"team": {"resets_s": seconds}}})
		some message in refusals(doc)
		endswith(message, words)
	}
}
