# Closed by default: what no rule allows is refused.
#
# Use it where access has to be granted rather than taken away. It needs
# `policy: {default: deny}` in attache.yaml; there other files can allow more, and
# a denial still wins over all of them.
package attache.request

import rego.v2

# METADATA
# custom: {id: allow-teams}
allow contains {"reason": "teams with a contract"} if {
	input.request.op in {"chat", "embeddings", "count_tokens"}
	input.caller.team in {"search", "support"}
}

# METADATA
# custom: {id: allow-operators}
allow contains {"reason": "operators may do everything"} if input.caller.roles.operator
