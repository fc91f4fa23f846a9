package task_routing_test

import rego.v2

import data.attache.request

asks(model, properties) := {"request": {"model": model}, "properties": properties}

test_a_task_has_its_models if {
	{"chain": ["anthropic/claude-sonnet-4-5", "openai/gpt-5"]} in request.route with input as asks("auto", {"task": "code"})
}

test_unknown_tasks_are_cheap if {
	{"chain": ["cheap"]} in request.route with input as asks("auto", {"task": "chess"})
	{"chain": ["cheap"]} in request.route with input as asks("auto", {})
}

test_who_names_a_model_gets_it if {
	not ({"chain": ["cheap"]} in request.route) with input as asks("smart", {"task": "summary"})
}
