package vision_routing_test

import rego.v2

import data.attache.request

asks(model, images) := {"request": {"model": model, "images": images}}

sees := {"chain": ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"]}

blind := {"chain": ["openai/gpt-4o-mini"]}

test_images_go_to_models_that_see if {
	sees in request.route with input as asks("eyes", 2)
	not blind in request.route with input as asks("eyes", 2)
}

test_text_does_not if {
	blind in request.route with input as asks("eyes", 0)
	not sees in request.route with input as asks("eyes", 0)
}

test_other_models_are_left_alone if {
	not sees in request.route with input as asks("smart", 1)
}
