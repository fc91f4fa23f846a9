package maintenance_window_test

import rego.v2

import data.attache.request

at(ms, providers) := {"time": {"unix_ms": ms}, "candidates": [{"provider": p} | some p in providers]}

down := {"exclude": {"provider": "frankfurt"}}

refused(doc) if {
	some d in request.deny with input as doc
	d.code == "maintenance"
}

test_the_window if {
	down in request.route with input as at(1796508000000, ["openai", "frankfurt"])
	down in request.route with input as at(1796522399999, ["frankfurt"])
	not down in request.route with input as at(1796507999999, ["frankfurt"])
	not down in request.route with input as at(1796522400000, ["frankfurt"])
}

test_refused_if_nothing_is_left if {
	refused(at(1796508000000, ["frankfurt"]))
	not refused(at(1796508000000, ["frankfurt", "openai"]))
	not refused(at(1796508000000, []))
}
