package batch_concurrency_test

import rego.v2

import data.attache.request

with_key(labels) := {"caller": {"labels": labels}}

cap := {"per": "key", "concurrent": 4}

test_keys_of_jobs if {
	cap in request.limit with input as with_key({"use": "batch"})
}

test_other_keys if {
	not cap in request.limit with input as with_key({"use": "chat"})
	not cap in request.limit with input as with_key({})
}
