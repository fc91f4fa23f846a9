package attache.lib.clock_test

import rego.v2

import data.attache.lib.clock

at(weekday, hour) := {"time": {"weekday": weekday, "hour": hour}}

test_workday if {
	clock.workday with input as at("friday", 3)
	not clock.workday with input as at("sunday", 3)
}

test_between if {
	every hour in [8, 12, 16] {
		clock.between(8, 17) with input as at("monday", hour)
	}
	every hour in [0, 7, 17, 23] {
		not clock.between(8, 17) with input as at("monday", hour)
	}
}

test_between_over_midnight if {
	every hour in [22, 23, 0, 5] {
		clock.between(22, 6) with input as at("monday", hour)
	}
	every hour in [6, 12, 21] {
		not clock.between(22, 6) with input as at("monday", hour)
	}
}
