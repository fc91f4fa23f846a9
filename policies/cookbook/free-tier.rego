# Free tier: keys with the label `tier: free` get one small model, short answers
# and prompts, and neither tools nor media.
#
# Use it for trials. How many requests they may send is a matter of limits.
package attache.request

import rego.v2

# METADATA
# custom: {id: free-model}
route contains {"chain": ["cheap"]} if on_free_tier

# METADATA
# custom: {id: free-output}
modify contains {"path": "/max_tokens", "max": 256} if on_free_tier

# METADATA
# custom: {id: free-extras}
deny contains {"code": "upgrade_needed", "status": 402, "message": "tools, images, sound and files are not in the free tier"} if {
	on_free_tier
	free_tier_extras
}

# METADATA
# custom: {id: free-prompt}
deny contains {"code": "upgrade_needed", "status": 402, "message": "prompts of the free tier have at most 2000 tokens"} if {
	on_free_tier
	input.request.tokens.input > 2000
}

on_free_tier if {
	input.caller.labels.tier == "free"
	input.request.op == "chat"
}

free_tier_extras if input.request.tools != {}

free_tier_extras if input.request.images > 0

free_tier_extras if input.request.audios > 0

free_tier_extras if input.request.files > 0
