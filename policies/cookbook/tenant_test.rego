package tenant_test

import rego.v2

import data.attache.request

asks(headers, labels) := {"request": {"headers": headers}, "caller": {"labels": labels}}

codes(doc) := {d.code | some d in request.deny with input as doc}

test_own_tenants if {
	doc := asks({"x-tenant": "blue"}, {"tenants": "red,blue"})
	not "tenant_not_allowed" in codes(doc)
	{"tenant": "blue"} in request.label with input as doc
	{"name": "x-tenant", "value": "blue"} in request.header with input as doc
}

test_all_tenants if {
	not "tenant_not_allowed" in codes(asks({"x-tenant": "blue"}, {"tenants": "*"}))
}

test_foreign_tenants if {
	"tenant_not_allowed" in codes(asks({"x-tenant": "green"}, {"tenants": "red,blue"}))
	"tenant_not_allowed" in codes(asks({"x-tenant": "green"}, {}))
	"tenant_not_allowed" in codes(asks({"x-tenant": "Größe"}, {"tenants": "*"}))
}

test_no_tenant if {
	"tenant_missing" in codes(asks({}, {"tenants": "red"}))
}
