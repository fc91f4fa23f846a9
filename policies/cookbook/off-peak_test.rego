package off_peak_test

import rego.v2

import data.attache.request

at(hour) := {"request": {"op": "chat"}, "time": {"hour": hour}}

local := {"prefer": "provider=local", "weight": 5}

test_at_night if {
	local in request.route with input as at(20)
	local in request.route with input as at(5)
}

test_by_day if {
	not local in request.route with input as at(6)
	not local in request.route with input as at(19)
}
