package closed_by_default_test

import rego.v2

import data.attache.request

test_allowed if {
	count(request.allow) > 0 with input as {"request": {"op": "chat"}, "caller": {"team": "search", "roles": {}}}
	count(request.allow) > 0 with input as {"request": {"op": "forward"}, "caller": {"team": "", "roles": {"operator": true}}}
}

test_refused if {
	count(request.allow) == 0 with input as {"request": {"op": "forward"}, "caller": {"team": "search", "roles": {}}}
	count(request.allow) == 0 with input as {"request": {"op": "chat"}, "caller": {"team": "nobody", "roles": {}}}
}
