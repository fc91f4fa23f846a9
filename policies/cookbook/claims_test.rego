package claims_test

import rego.v2

import data.attache.request

asks(claims, models) := {"caller": {"claims": claims}, "candidates": [{"model": m} | some m in models]}

refused(doc) if {
	some d in request.deny with input as doc
	d.code == "not_for_department"
}

test_models_of_the_department if {
	doc := asks({"department": "sales"}, ["gpt-5", "gpt-4o-mini"])
	{"require": {"model": ["gpt-4o-mini"]}} in request.route with input as doc
	{"department": "sales"} in request.label with input as doc
	not refused(doc)
	not refused(asks({"department": "research"}, ["gpt-5"]))
}

test_other_models if {
	refused(asks({"department": "sales"}, ["gpt-5"]))
	refused(asks({"department": "kitchen"}, ["gpt-4o-mini"]))
}

test_without_a_department if {
	refused(asks({}, ["gpt-4o-mini"]))
	refused(asks({"department": ["sales"]}, ["gpt-4o-mini"]))
	not refused(asks({}, []))
}

test_on_probation if {
	claims := {"department": "research", "https://example.com/status": {"flags": ["new", "probation"]}}
	refused(asks(claims, ["gpt-5"]))
	not refused(asks(object.union(claims, {"https://example.com/status": {"flags": ["new"]}}), ["gpt-5"]))
}
