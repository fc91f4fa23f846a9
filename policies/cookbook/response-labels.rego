# Labels of responses: records say which exchanges are worth a look.
#
# Use it to find what went wrong without wading through all that went well. These
# rules run when the client has its response and hold nothing up.
package attache.response

import rego.v2

# METADATA
# custom: {id: cut-off}
label contains {"cut_off": "yes"} if input.response.finish == "length"

# METADATA
# custom: {id: broken-off}
label contains {"broken": "yes"} if input.response.truncated

# METADATA
# custom: {id: fell-back}
label contains {"fallback": "yes"} if input.response.attempts > 1

# A tenth of a dollar, in nano-dollars.
# METADATA
# custom: {id: expensive}
label contains {"expensive": "yes"} if input.response.cost_nano > 100000000

# METADATA
# custom: {id: slow}
label contains {"slow": "yes"} if {
	input.response.duration_ms > 30000
	input.response.tokens.output < 500
}
