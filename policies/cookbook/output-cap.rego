# Output cap: nobody gets answers longer than so many tokens, interactive clients
# shorter ones than batch jobs, and nobody more than so many answers at once.
#
# Use it against runaway bills. It holds for chats that give no limit as well; of
# requests that are passed on as they are (`forward`, as /v1/completions) only the
# limit that is there is cut. A job says what it is in the property `job`.
package attache.request

import rego.v2

# METADATA
# custom: {id: output-cap}
modify contains {"path": "/max_tokens", "max": 8192}

# METADATA
# custom: {id: output-cap-interactive}
modify contains {"path": "/max_tokens", "max": 2048} if not input.properties.job == "batch"

# METADATA
# custom: {id: output-cap-answers}
modify contains {"path": "/n", "max": 2}
