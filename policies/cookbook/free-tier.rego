# Free tier: keys with the label `tier: free` get one small model, short answers
# and prompts, so many requests a minute and tokens a day, and neither tools nor
# media.
#
# Use it for trials. Keys of applications have users of their own, and these have
# limits if the application names them, so that none uses up what is for all. But a
# client can make up names, and those who name nobody would share one count. So the
# key has limits whatever it says.
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

# METADATA
# custom: {id: free-key-minute}
limit contains {"per": "key", "window_s": 60, "requests": 60} if input.caller.labels.tier == "free"

# METADATA
# custom: {id: free-key-day}
limit contains {"per": "key", "window": "day", "tokens": 500000} if input.caller.labels.tier == "free"

# METADATA
# custom: {id: free-user-minute}
limit contains {"per": "user", "window_s": 60, "requests": 10} if {
	input.caller.labels.tier == "free"
	input.user != ""
}

# METADATA
# custom: {id: free-user-day}
limit contains {"per": "user", "window": "day", "tokens": 50000} if {
	input.caller.labels.tier == "free"
	input.user != ""
}

on_free_tier if {
	input.caller.labels.tier == "free"
	input.request.op == "chat"
}

free_tier_extras if input.request.tools != {}

free_tier_extras if input.request.images > 0

free_tier_extras if input.request.audios > 0

free_tier_extras if input.request.files > 0
