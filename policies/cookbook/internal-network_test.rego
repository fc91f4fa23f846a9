package internal_network_test

import rego.v2

import data.attache.request

from(address) := {"caller": {"labels": {"network": "internal"}, "address": address}}

refused(doc) if {
	some d in request.deny with input as doc
	d.code == "wrong_network"
}

test_inside if {
	not refused(from("10.3.2.1"))
	not refused(from("fd00::1"))
}

test_outside if {
	refused(from("203.0.113.7"))
	refused(from("2001:db8::1"))
	refused(from(""))
}

test_other_keys if {
	not refused({"caller": {"labels": {}, "address": "203.0.113.7"}})
}
