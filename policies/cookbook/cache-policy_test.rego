package cache_policy_test

import rego.v2

import data.attache.request

chat := {
	"request": {"op": "chat", "temperature_milli": 0, "headers": {}},
	"caller": {"labels": {}},
	"guards": {"pii": {"action": "allow"}},
}

but(part) := object.union(chat, part)

kept := {"mode": "exact", "ttl_s": 3600}

alone := {"scope": "key"}

off := {"mode": "off"}

test_what_comes_out_the_same if {
	kept in request.cache with input as chat
	kept in request.cache with input as but({"request": {"op": "embeddings", "temperature_milli": -1}})
	not off in request.cache with input as chat
}

test_what_does_not if {
	every t in [-1, 1, 1000] {
		not kept in request.cache with input as but({"request": {"temperature_milli": t}})
	}
}

test_personal_data if {
	every action in ["redact", "block", "failed"] {
		off in request.cache with input as but({"guards": {"pii": {"action": action}}})
	}
}

test_clients_who_want_none if {
	off in request.cache with input as but({"request": {"headers": {"cache-control": "no-cache, no-store"}}})
	not off in request.cache with input as but({"request": {"headers": {"cache-control": "max-age=0"}}})
}

test_private_keys if {
	alone in request.cache with input as but({"caller": {"labels": {"cache": "private"}}})
	not alone in request.cache with input as chat
}
