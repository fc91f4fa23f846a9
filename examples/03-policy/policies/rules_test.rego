package attache.request_test

import rego.v2

import data.attache.request

test_images_are_refused if {
	some d in request.deny with input as {"request": {"images": 1}}
	d.code == "no_images"
}

test_text_is_not if count(request.deny) == 0 with input as {"request": {"images": 0}}

test_what_comes_out_the_same_is_kept if {
	{"mode": "exact", "ttl_s": 600} in request.cache with input as {"request": {"temperature_milli": 0}}
	count(request.cache) == 0 with input as {"request": {"temperature_milli": -1}}
}

test_people_of_the_eu_stay_there if {
	some r in request.route with input as {"caller": {"labels": {"residency": "eu"}}}
	r.require.residency == "eu"
}
