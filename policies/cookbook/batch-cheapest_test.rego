package batch_cheapest_test

import rego.v2

import data.attache.request

job(name, stream) := {"properties": {"job": name}, "request": {"stream": stream}}

cheapest := {"pick": "cheapest", "timeout_ms": 600000}

test_batch_jobs if {
	cheapest in request.route with input as job("batch", false)
}

test_people_wait if {
	not cheapest in request.route with input as job("batch", true)
	not cheapest in request.route with input as job("chat", false)
}
