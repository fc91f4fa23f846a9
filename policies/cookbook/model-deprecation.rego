# Deprecation: requests for a model that is going away get its successor, and
# clients are told by a header.
#
# Use it when a provider announces an end. Rules look at the targets, so it holds
# whatever name the client uses. The other targets of the request stay as they
# are, in their order.
package attache.request

import rego.v2

# METADATA
# custom: {id: deprecated-model}
route contains {"chain": [target | some c in input.candidates; target := in_place_of(concat("/", [c.provider, c.model]))]} if deprecated_now

# METADATA
# custom: {id: deprecated-header}
header contains {"on": "response", "name": "deprecation", "value": "true"} if deprecated_now

# METADATA
# custom: {id: deprecated-label}
label contains {"deprecated": "true"} if deprecated_now

deprecated_now if {
	some c in input.candidates
	successors[concat("/", [c.provider, c.model])]
}

in_place_of(target) := object.get(successors, target, target)

successors := {
	"openai/gpt-4": "openai/gpt-4o",
	"openai/gpt-4-turbo": "openai/gpt-4o",
	"anthropic/claude-3-opus": "anthropic/claude-sonnet-4-5",
}
