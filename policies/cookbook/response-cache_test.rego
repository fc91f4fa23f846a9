package response_cache_test

import rego.v2

import data.attache.response

after(part) := object.union(
	{
		"request": {"op": "chat"},
		"response": {"verdicts": {}, "tokens": {"output": 20}},
	},
	part,
)

off := {"mode": "off"}

test_good_answers_are_kept if {
	not off in response.cache with input as after({})
	not off in response.cache with input as after({"response": {"verdicts": {"pii": "allow"}}})
	not off in response.cache with input as after({"request": {"op": "embeddings"}, "response": {"tokens": {"output": 0}}})
}

test_others_are_not if {
	every part in [{"verdicts": {"pii": "redact"}}, {"verdicts": {"pii": "failed"}}, {"tokens": {"output": 1}}] {
		off in response.cache with input as after({"response": part})
	}
}
