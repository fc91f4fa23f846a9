package attache.request_test

import rego.v2

import data.attache.request

chat := {
	"request": {"op": "chat", "model": "smart"},
	"caller": {"team": "", "labels": {}},
	"properties": {},
	"candidates": [
		{"provider": "openai", "model": "gpt-4o", "tags": {}},
		{"provider": "local", "model": "llama3.3", "tags": {"residency": "eu"}},
	],
}

with_models(models) := object.union(chat, {"candidates": [{"model": m} | some m in models]})

with_labels(labels) := object.union(chat, {"caller": {"labels": labels}})

test_plain_request_passes_untouched if {
	count(request.deny) == 0 with input as chat
	count(request.route) == 0 with input as chat
	count(request.modify) == 0 with input as chat
	count(request.label) == 0 with input as chat
	count(request.limit) == 0 with input as chat
}

test_blocked_model_is_left_out if {
	doc := with_models(["gpt-4-32k", "gpt-4o"])
	request.route == {{"exclude": {"model": "gpt-4-32k"}}} with input as doc
	count(request.deny) == 0 with input as doc
}

test_only_blocked_models_is_refused if {
	some d in request.deny with input as with_models(["gpt-4-32k", "gpt-3.5-turbo"])
	d.code == "model_blocked"
}

test_no_candidates_is_not_a_blocked_model if {
	count(request.deny) == 0 with input as with_models([])
}

test_free_tier_is_capped if {
	request.modify == {{"path": "/max_tokens", "max": 1024}} with input as with_labels({"tier": "free"})
}

test_free_tier_is_limited if {
	request.limit == {{"per": "key", "window_s": 60, "requests": 60}} with input as with_labels({"tier": "free"})
}

test_unknown_tier_has_no_limits if {
	count(request.modify) == 0 with input as with_labels({"tier": "gold"})
	count(request.limit) == 0 with input as with_labels({"tier": "gold"})
}

test_embeddings_are_not_capped if {
	doc := object.union(with_labels({"tier": "free"}), {"request": {"op": "embeddings"}})
	count(request.modify) == 0 with input as doc
}
