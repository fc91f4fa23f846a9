package roles_test

import rego.v2

import data.attache.request

asks(roles, claims, models) := {
	"caller": {"roles": roles, "claims": claims},
	"candidates": [{"model": m} | some m in models],
}

refused(doc) if {
	some d in request.deny with input as doc
	d.code == "role_missing"
}

restricted := {"exclude": {"model": ["gpt-5", "claude-opus-4-1"]}}

test_without_a_role if {
	restricted in request.route with input as asks({}, {}, ["gpt-5", "gpt-4o"])
	not refused(asks({}, {}, ["gpt-5", "gpt-4o"]))
	refused(asks({}, {"groups": ["sales"]}, ["gpt-5"]))
	not refused(asks({}, {}, []))
}

test_with_a_role_or_a_group if {
	not restricted in request.route with input as asks({"researcher": true}, {}, ["gpt-5"])
	not restricted in request.route with input as asks({}, {"groups": ["sales", "ai-research"]}, ["gpt-5"])
	not refused(asks({"researcher": true}, {}, ["gpt-5"]))
}
