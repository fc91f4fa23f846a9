package output_guard_test

import rego.v2

import data.attache.request

with_key(labels) := {"caller": {"labels": labels}}

asked := {"name": "pii", "on": "output"}

test_outside if {
	every labels in [{}, {"audience": "customers"}] {
		asked in request.guard with input as with_key(labels)
	}
}

test_staff if {
	not asked in request.guard with input as with_key({"audience": "staff"})
	{"audience": "staff"} in request.label with input as with_key({"audience": "staff"})
}
