package attache.request

import rego.v2

# METADATA
# custom: {id: no-images}
deny contains {"code": "no_images", "message": "images are not allowed"} if {
	input.caller.labels.tier == "free"
	input.request.images > 0
}

# METADATA
# custom: {id: short-answers}
modify contains {"path": "/max_tokens", "max": 1024} if input.caller.labels.tier == "free"

# METADATA
# custom: {id: stay-in-europe}
route contains {"require": {"residency": "eu"}} if input.properties.data == "personal"
