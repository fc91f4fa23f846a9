package attache.defaults_test

import rego.v2

import data.attache.admin
import data.attache.request

none := {"caller": {"team": "", "labels": {}, "roles": {}}, "properties": {}}

with_labels(labels) := object.union(none, {"caller": {"labels": labels}})

test_nothing_without_a_reason if {
	count(request.deny) == 0 with input as none
	count(request.route) == 0 with input as none
	count(request.label) == 0 with input as none
}

test_cost_center if {
	request.label == {{"cost_center": "search"}} with input as object.union(none, {"caller": {"team": "search"}})
}

test_residency if {
	request.route == {{"require": {"residency": "eu"}}} with input as with_labels({"residency": "eu"})
	request.route == {{"require": {"residency": "ch"}}} with input as object.union(none, {"properties": {"residency": "ch"}})
}

test_suspended if {
	some d in request.deny with input as with_labels({"state": "suspended"})
	d.code == "suspended"
}

test_admin if {
	count(admin.deny) == 1 with input as none
	count(admin.deny) == 0 with input as object.union(none, {"caller": {"roles": {"admin": true}}})
}
