package attache.request

import rego.v2

# METADATA
# custom: {id: no-images}
deny contains {"code": "no_images", "status": 403, "message": "images are not allowed"} if input.request.images > 0

# METADATA
# custom: {id: eu-only}
route contains {"require": {"residency": "eu"}} if input.caller.labels.residency == "eu"

# METADATA
# custom: {id: free-tier}
modify contains {"path": "/max_tokens", "max": 256} if input.caller.labels.tier == "free"

# METADATA
# custom: {id: same-again}
cache contains {"mode": "exact", "ttl_s": 600} if input.request.temperature_milli == 0

# METADATA
# custom: {id: cost-center}
label contains {"cost_center": input.caller.team}
