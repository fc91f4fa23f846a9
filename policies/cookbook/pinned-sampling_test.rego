package pinned_sampling_test

import rego.v2

import data.attache.request

pinned := {
	{"path": "/temperature", "value": 0},
	{"path": "/seed", "value": 7},
	{"path": "/top_p", "op": "remove"},
}

test_by_key if {
	count(pinned - request.modify) == 0 with input as {"caller": {"labels": {"sampling": "pinned"}}, "request": {"op": "chat"}}
}

test_by_property if {
	count(pinned - request.modify) == 0 with input as {"properties": {"sampling": "pinned"}, "request": {"op": "chat"}}
}

test_others_sample_as_they_like if {
	count(pinned & request.modify) == 0 with input as {"properties": {}, "caller": {"labels": {}}, "request": {"op": "chat"}}
}
