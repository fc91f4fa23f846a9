# Latency objective: streams for people begin within a second and a half.
#
# Use it for chats, where the first word counts. Targets that began faster of late
# go first, and one that keeps the client waiting for longer is given up for the
# next. The label says which requests were sent when no target met the objective.
package attache.request

import rego.v2

# METADATA
# custom: {id: latency-slo}
route contains {"prefer": "first_token", "weight": 3, "first_token_ms": 1500} if input.request.stream

# METADATA
# custom: {id: latency-slo-label}
label contains {"slo": "at_risk"} if {
	input.request.stream
	input.candidates != []
	every c in input.candidates {
		c.first_token_ms > 1500
	}
}
