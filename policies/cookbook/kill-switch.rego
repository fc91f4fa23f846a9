# Kill switch: a provider, a model or everything is switched off at once.
#
# Use it in an incident: fill in a set, and the change holds within seconds,
# without a restart. Requests with other targets go there; the rest is told to
# come back later.
package attache.request

import rego.v2

# METADATA
# custom: {id: off-provider}
route contains {"exclude": {"provider": name}} if some name in off.providers

# METADATA
# custom: {id: off-model}
route contains {"exclude": {"model": name}} if some name in off.models

# METADATA
# custom: {id: off-refusal}
deny contains {"code": "switched_off", "status": 503, "message": "switched off for now", "retry_after_s": 300, "priority": 50} if switched_off

switched_off if off.everything

switched_off if {
	input.candidates != []
	every c in input.candidates {
		is_off(c.provider, c.model)
	}
}

is_off(provider, _) if provider in off.providers

is_off(_, model) if model in off.models

off := {
	"everything": false,
	"providers": {"retired"},
	"models": {"gpt-4-32k"},
}
