# Output cap: nobody gets answers longer than so many tokens, interactive clients
# shorter ones than batch jobs.
#
# Use it against runaway bills. It holds for clients that give no limit as well.
# A job says what it is in the property `job`.
package attache.request

import rego.v2

# METADATA
# custom: {id: output-cap}
modify contains {"path": "/max_tokens", "max": 8192} if input.request.op == "chat"

# METADATA
# custom: {id: output-cap-interactive}
modify contains {"path": "/max_tokens", "max": 2048} if {
	input.request.op == "chat"
	not input.properties.job == "batch"
}
