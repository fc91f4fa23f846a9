# Roles: expensive models are for those whose role or group allows them.
#
# Use it where access follows jobs. Roles come with a key (`attache keys new
# -roles researcher`), groups with the claims of a token.
package attache.request

import rego.v2

# METADATA
# custom: {id: role-models}
route contains {"exclude": {"model": ["gpt-5", "claude-opus-4-1"]}} if not may_use_large_models

# METADATA
# custom: {id: role-refusal}
deny contains {"code": "role_missing", "message": "this model is for researchers"} if {
	not may_use_large_models
	input.candidates != []
	every c in input.candidates {
		c.model in {"gpt-5", "claude-opus-4-1"}
	}
}

may_use_large_models if input.caller.roles.researcher

may_use_large_models if "ai-research" in input.caller.claims.groups
