package spend_alarm_test

import rego.v2

import data.attache.response

after(state, cost) := {"budgets": {"team": {"state": state}}, "response": {"cost_nano": cost}}

test_nothing_to_say if {
	every l in response.label {
		object.keys(l) & {"spend", "dear"} == set()
	} with input as after("ok", 500000000)
}

test_short_of_money if {
	every state in ["low", "exhausted"] {
		{"spend": state} in response.label with input as after(state, 0)
	}
}

test_a_dear_exchange if {
	{"dear": "yes"} in response.label with input as after("ok", 500000001)
}
