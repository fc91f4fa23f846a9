package budget_routing_test

import rego.v2

import data.attache.request

left(permille) := {"candidates": [{"provider": p, "model": "m", "left_permille": n} | some p, n in permille]}

preferred(doc) := {r.prefer | some r in request.route with input as doc; r.weight == 3}

excluded(doc) := {r.exclude.target | some r in request.route with input as doc}

test_where_money_is_left if {
	preferred(left({"a": 1000, "b": 250, "c": 249})) == {"target=a/m", "target=b/m"}
	preferred(left({"a": 1000, "b": 250})) == set()
	excluded(left({"a": 1000, "b": 50})) == set()
}

test_nearly_out_of_money if {
	excluded(left({"a": 49, "b": 50})) == {"a/m"}
}

test_all_are_nearly_out_of_it if {
	excluded(left({"a": 49, "b": 0})) == set()
	excluded(left({})) == set()
}
