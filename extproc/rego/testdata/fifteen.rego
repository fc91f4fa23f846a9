package attache.request

import rego.v2

deny contains {"code": "no_team", "status": 401} if input.caller.team == ""

deny contains {"code": "suspended"} if input.caller.labels.state == "suspended"

deny contains {"code": "no_embeddings"} if {
	input.request.op == "embeddings"
	input.caller.team == "intern"
}

deny contains {"code": "too_long", "status": 413} if input.request.tokens.input > 128000

deny contains {"code": "too_many_images", "status": 400} if input.request.images > 20

deny contains {"code": "shell_tool"} if input.request.tools.shell

deny contains {"code": "nightly_batch", "status": 429, "retry_after_s": 3600} if {
	input.caller.labels.tier == "batch"
	input.time.hour >= 8
}

route contains {"require": {"region": "eu"}} if input.properties.residency == "eu"

route contains {"exclude": {"provider": "openai"}} if input.caller.org == "rival"

route contains {"chain": ["smart", "cheap"]} if input.caller.labels.tier == "gold"

route contains {"timeout_ms": 20000} if input.request.tokens.input > 1000

modify contains {"path": "/max_tokens", "max": 1024} if input.caller.labels.tier == "free"

modify contains {"path": "/logprobs", "op": "remove"} if input.caller.labels.tier == "batch"

label contains {"cost_center": input.caller.team} if input.caller.team != ""

label contains {"weekend": "yes"} if input.time.weekday in {"sunday"}
