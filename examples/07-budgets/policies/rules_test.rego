package attache.request_test

import rego.v2

import data.attache.request

left(permille, state) := {"request": {"model": "smart"}, "budgets": {"team": {"left_permille": permille, "state": state}}}

test_plenty if count(request.route) == 0 with input as left(200, "ok")

test_low if {"chain": ["cheap"]} in request.route with input as left(199, "ok")

test_exhausted if {
	some d in request.deny with input as left(0, "exhausted")
	d.code == "no_money"
}
