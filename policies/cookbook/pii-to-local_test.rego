package pii_to_local_test

import rego.v2

import data.attache.request

found(action) := {"request": {"op": "chat"}, "guards": {"pii": {"action": action}}}

test_personal_data_stays if {
	every action in ["redact", "block", "failed"] {
		{"chain": ["private"]} in request.route with input as found(action)
		{"require": {"house": "yes"}} in request.route with input as found(action)
		{"pii": "yes"} in request.label with input as found(action)
	}
}

test_the_rest_goes_anywhere if {
	not ({"require": {"house": "yes"}} in request.route) with input as found("allow")
}

test_embeddings_do_not_go_to_a_chat_model if {
	doc := object.union(found("redact"), {"request": {"op": "embeddings"}})
	{"require": {"house": "yes"}} in request.route with input as doc
	not ({"chain": ["private"]} in request.route) with input as doc
}
