package anonymous_users_test

import rego.v2

import data.attache.request

test_users_are_nobody if {
	every op in ["chat", "embeddings"] {
		{"path": "/user", "op": "remove"} in request.modify with input as {"request": {"op": op}}
		{"redact": "/user"} in request.log with input as {"request": {"op": op}}
	}
}

test_other_calls_name_none if {
	not ({"redact": "/user"} in request.log) with input as {"request": {"op": "models"}}
}
