# Long context: prompts above a size go to a model with a long context, where it
# does not cost too much or lose the thread.
#
# Use it where most prompts are short and a few are books. The gateway tries
# targets whose context is too small last in any case; this is for choosing what
# is best rather than what is possible.
package attache.request

import rego.v2

# METADATA
# custom: {id: long-context}
route contains {"chain": ["google/gemini-2.5-pro", "anthropic/claude-sonnet-4-5"]} if {
	input.request.model == "smart"
	input.request.tokens.input > 50000
}
