package response_labels_test

import rego.v2

import data.attache.response

after(part) := {"response": object.union({"finish": "stop", "truncated": false, "attempts": 1, "cost_nano": 0, "duration_ms": 900, "tokens": {"output": 20}}, part)}

labels(part) := l if l := response.label with input as after(part)

test_nothing_special if {
	every l in ["cut_off", "broken", "fallback", "expensive", "slow"] {
		not { {l: "yes"} in labels({}) }
	}
}

test_labels if {
	{"cut_off": "yes"} in labels({"finish": "length"})
	{"broken": "yes"} in labels({"truncated": true})
	{"fallback": "yes"} in labels({"attempts": 2})
	{"expensive": "yes"} in labels({"cost_nano": 100000001})
	{"slow": "yes"} in labels({"duration_ms": 30001})
}
