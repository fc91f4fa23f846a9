package anonymous_users_test

import rego.v2

import data.attache.request

test_users_are_nobody if {
	every op in ["chat", "embeddings", "forward"] {
		{"path": "/user", "op": "remove"} in request.modify with input as {"request": {"op": op}}
		{"path": "/metadata", "op": "remove"} in request.modify with input as {"request": {"op": op}}
		{"redact": "/user"} in request.log with input as {"request": {"op": op}}
	}
}
