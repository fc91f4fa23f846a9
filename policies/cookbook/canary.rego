# Canary: a new model gets a small part of the requests for an old one, and all
# requests of those who try it out.
#
# Use it before you move everybody. Raise the share step by step; to go back,
# remove the file. The share is exact: of 20 requests the new model gets one.
package attache.request

import rego.v2

# METADATA
# custom: {id: canary-share}
route contains {"split": {"by": "request", "shares": {"openai/gpt-5": 5, "openai/gpt-4o": 95}}} if {
	input.request.model == "writer"
	not tries_canary
}

# METADATA
# custom: {id: canary-testers}
route contains {"chain": ["openai/gpt-5", "openai/gpt-4o"]} if {
	input.request.model == "writer"
	tries_canary
}

tries_canary if input.caller.labels.ring == "canary"
