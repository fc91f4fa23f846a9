package team_limits_test

import rego.v2

import data.attache.config
import data.attache.request

of(team) := {l | some l in request.limit with input as {"caller": {"team": team}}; l.per == "team"}

table := {
	"search": {"requests_per_minute": 9, "tokens_per_minute": 8, "tokens_per_day": 7, "at_once": 6},
	"others": {"requests_per_minute": 1},
}

test_a_team_has_its_row if {
	of("search") == {
		{"per": "team", "window_s": 60, "requests": 9},
		{"per": "team", "window_s": 60, "tokens": 8},
		{"per": "team", "window": "day", "tokens": 7},
		{"per": "team", "concurrent": 6},
	} with config.team_limits as table
}

test_who_has_none_has_that_of_others if {
	every team in ["nobody", ""] {
		of(team) == {{"per": "team", "window_s": 60, "requests": 1}} with config.team_limits as table
	}
}

# The table that is in force.
test_columns_are_known if {
	config.team_limits.others
	every row in config.team_limits {
		object.keys(row) - object.keys(table.search) == set()
		every number in row {
			number >= 0
		}
	}
}
