# A/B test: the users of a model are divided between two, the same user always
# getting the same one.
#
# Use it to find out which of two models does better. Records say which target
# answered whom. A user is the one that the request names, or else the owner of the
# key or token; a request without either is dealt out for itself. If one of the two
# fails, the other one answers.
package attache.request

import rego.v2

# METADATA
# custom: {id: ab-test}
route contains {"split": {"by": "user", "shares": {"openai/gpt-4o": 50, "anthropic/claude-sonnet-4-5": 50}}} if {
	input.request.model == "smart"
}

# METADATA
# custom: {id: ab-test-label}
label contains {"experiment": "smart-2026-12"} if input.request.model == "smart"
