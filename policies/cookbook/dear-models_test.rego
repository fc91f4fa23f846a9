package dear_models_test

import rego.v2

import data.attache.request

asks(models) := {"candidates": [{"model": m} | some m in models]}

allowance := {"name": "dear-models", "per": "team", "window": "day", "requests": 50}

test_dear_models_count if {
	allowance in request.limit with input as asks(["o1-pro"])
	allowance in request.limit with input as asks(["gpt-4o", "claude-opus-4-1"])
}

test_others_do_not if {
	not allowance in request.limit with input as asks(["gpt-4o"])
	not allowance in request.limit with input as asks([])
}
