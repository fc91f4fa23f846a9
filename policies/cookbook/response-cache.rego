# Cache of responses: what is not good enough to be said twice is not kept.
#
# Use it beside `cache: {mode: exact}` or a rule that asks for the cache. Answers
# that end early, call tools, come from a fallback or were changed by a guard are
# never kept; these rules keep out what only you can tell.
package attache.response

import rego.v2

# What a guard had something to say about, in the question or in the answer.
# METADATA
# custom: {id: cache-flagged}
cache contains {"mode": "off"} if {
	some verdict in input.response.verdicts
	verdict != "allow"
}

# Next to nothing, which is seldom an answer.
# METADATA
# custom: {id: cache-empty}
cache contains {"mode": "off"} if {
	input.request.op == "chat"
	input.response.tokens.output < 2
}
