# The rules that `make run` starts with, besides the shipped defaults. They do
# nothing to a request that none of them is about. README.md says what rules can
# see and say.
package attache.request

import rego.v2

import data.attache.config
import data.attache.lib.targets

# A blocked model is not used, whatever name the client asked for: rules look at
# the candidates, since input.request.model may be an alias or a list.
# METADATA
# custom: {id: blocked-model}
route contains {"exclude": {"model": c.model}} if {
	some c in input.candidates
	c.model in blocked
}

# Where that leaves nothing, say so.
# METADATA
# custom: {id: only-blocked-models}
deny contains {"code": "model_blocked", "message": "this model is not in use here"} if {
	targets.only_models(blocked)
}

# What a tier may spend on one answer. A key without a tier has no limit.
# METADATA
# custom: {id: tier-max-tokens}
modify contains {"path": "/max_tokens", "max": config.tiers[tier].max_tokens} if {
	input.request.op == "chat"
	tier := input.caller.labels.tier
}

# How many requests a key of a tier may send.
# METADATA
# custom: {id: tier-requests}
limit contains {"per": "key", "window_s": 60, "requests": config.tiers[tier].requests_per_minute} if {
	tier := input.caller.labels.tier
}

blocked := object.keys(config.blocked_models)
