# Cache policy: what would come out the same again is answered from the cache,
# unless it has personal data in it or the client says no.
#
# Use it to pay once for what is asked often. The configuration's cache is there to
# be asked for by teams, `cache: {mode: asked, scope: team}`. Answers to keys with the label
# `cache: private` are shared with nobody. The header is one that clients often send
# anyway; `x-attache-cache: no-store` holds without any rule.
package attache.request

import rego.v2

# METADATA
# custom: {id: cache-repeatable}
cache contains {"mode": "exact", "ttl_s": 3600} if repeatable

# METADATA
# custom: {id: cache-private}
cache contains {"scope": "key"} if input.caller.labels.cache == "private"

# METADATA
# custom: {id: cache-no-pii}
cache contains {"mode": "off"} if input.guards.pii.action != "allow"

# METADATA
# custom: {id: cache-header}
cache contains {"mode": "off"} if contains(input.request.headers["cache-control"], "no-store")

# A temperature that is not given is the model's own, which is seldom 0.
repeatable if {
	input.request.op == "chat"
	input.request.temperature_milli == 0
}

repeatable if input.request.op == "embeddings"
