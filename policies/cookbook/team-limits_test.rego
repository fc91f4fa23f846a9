package team_limits_test

import rego.v2

import data.attache.config
import data.attache.request

of(team) := {l | some l in request.limit with input as {"caller": {"team": team}}; l.per == "team"}

table := {"search": [{"window_s": 60, "requests": 9}, {"concurrent": 2}], "others": [{"window_s": 60, "requests": 1}]}

test_a_team_has_its_rows if {
	{"per": "team", "window_s": 60, "requests": 9} in of("search") with config.team_limits as table
	{"per": "team", "concurrent": 2} in of("search") with config.team_limits as table
}

test_who_has_none_has_those_of_others if {
	every team in ["nobody", ""] {
		{"per": "team", "window_s": 60, "requests": 1} in of(team) with config.team_limits as table
	}
}

# The table that is in force.
test_each_row_limits_something if {
	count(config.team_limits.others) > 0
	every rows in config.team_limits {
		every row in rows {
			object.keys(row) - {"window_s", "window", "requests", "tokens", "cost_nano", "concurrent"} == set()
			object.keys(row) & {"requests", "tokens", "cost_nano", "concurrent"} != set()
		}
	}
}
