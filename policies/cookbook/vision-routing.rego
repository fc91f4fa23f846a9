# Vision: requests with images go to models that see, the others to cheaper ones
# that need not.
#
# Use it behind one name for both. Models that are known not to take images are
# left out by the gateway anyway; this is about which of those that do.
package attache.request

import rego.v2

# METADATA
# custom: {id: vision}
route contains {"chain": ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"]} if {
	input.request.model == "eyes"
	input.request.images > 0
}

# METADATA
# custom: {id: no-vision}
route contains {"chain": ["openai/gpt-4o-mini"]} if {
	input.request.model == "eyes"
	input.request.images == 0
}
