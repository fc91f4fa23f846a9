package cost_ceiling_test

import rego.v2

import data.attache.request

at(prices, labels) := {"caller": {"labels": labels}, "candidates": [{"model": m, "output_price": p} | some m, p in prices]}

refused(doc) if {
	some d in request.deny with input as doc
	d.code == "too_expensive"
}

test_expensive_models_are_left_out if {
	doc := at({"big": 75000000000, "small": 600000000, "free": 0}, {})
	{"exclude": {"model": "big"}} in request.route with input as doc
	not ({"exclude": {"model": "small"}} in request.route) with input as doc
	not ({"exclude": {"model": "free"}} in request.route) with input as doc
	not refused(doc)
}

test_unknown_prices_are_left_out if {
	{"exclude": {"model": "odd"}} in request.route with input as at({"odd": -1}, {})
}

test_nothing_else_is_there if {
	refused(at({"big": 75000000000}, {}))
	not refused(at({"big": 75000000000}, {"ceiling": "none"}))
	not refused(at({}, {}))
}
