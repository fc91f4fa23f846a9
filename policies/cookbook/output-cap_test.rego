package output_cap_test

import rego.v2

import data.attache.request

asks(op, properties) := {"request": {"op": op}, "properties": properties}

test_interactive if {
	{"path": "/max_tokens", "max": 2048} in request.modify with input as asks("chat", {})
}

test_batch if {
	{"path": "/max_tokens", "max": 8192} in request.modify with input as asks("chat", {"job": "batch"})
	not ({"path": "/max_tokens", "max": 2048} in request.modify) with input as asks("chat", {"job": "batch"})
}

test_forwarded if {
	{"path": "/max_tokens", "max": 2048} in request.modify with input as asks("forward", {})
}

test_answers if {
	{"path": "/n", "max": 2} in request.modify with input as asks("chat", {})
}
