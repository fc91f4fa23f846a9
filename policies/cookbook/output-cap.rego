# Output cap: nobody gets answers longer than so many tokens, interactive clients
# shorter ones than batch jobs.
#
# Use it against runaway bills. It holds for chats that give no limit as well; of
# requests that are passed on as they are (`forward`, as /v1/completions) only the
# limit that is there is cut. A job says what it is in the property `job`.
package attache.request

import rego.v2

# METADATA
# custom: {id: output-cap}
modify contains {"path": "/max_tokens", "max": 8192} if input.request.op in {"chat", "forward"}

# METADATA
# custom: {id: output-cap-interactive}
modify contains {"path": "/max_tokens", "max": 2048} if {
	input.request.op in {"chat", "forward"}
	not input.properties.job == "batch"
}
