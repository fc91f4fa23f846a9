package business_hours_test

import rego.v2

import data.attache.request

at(weekday, hour) := {"caller": {"labels": {"hours": "office"}}, "time": {"weekday": weekday, "hour": hour}}

refused(doc) if {
	some d in request.deny with input as doc
	d.code == "outside_business_hours"
}

test_in_the_daytime if {
	not refused(at("monday", 7))
	not refused(at("friday", 17))
}

test_at_night_and_on_weekends if {
	refused(at("monday", 6))
	refused(at("friday", 18))
	refused(at("sunday", 12))
}

test_other_keys_never_rest if {
	not refused(object.union(at("sunday", 3), {"caller": {"labels": {"hours": "all"}}}))
}
