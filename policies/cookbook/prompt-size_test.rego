package prompt_size_test

import rego.v2

import data.attache.request

sends(tokens, messages, labels) := {
	"request": {"op": "chat", "tokens": {"input": tokens}, "messages": messages},
	"caller": {"labels": labels},
}

codes(doc) := {d.code | some d in request.deny with input as doc}

test_short if {
	codes(sends(30000, 500, {})) & {"prompt_too_long", "too_many_messages"} == set()
}

test_long if {
	"prompt_too_long" in codes(sends(30001, 1, {}))
	"too_many_messages" in codes(sends(10, 501, {}))
}

test_keys_for_long_prompts if {
	codes(sends(30001, 501, {"prompts": "long"})) & {"prompt_too_long", "too_many_messages"} == set()
}
