# Sticky sessions: all requests of a conversation go to the same provider.
#
# Use it where providers cache prompts: a conversation that moves pays for its
# whole past again. The session is in the header x-attache-session; requests
# without one are dealt out evenly. If the provider fails, the other one answers.
package attache.request

import rego.v2

# METADATA
# custom: {id: sticky-session}
route contains {"split": {"by": "session", "shares": {"openai/gpt-4o": 1, "frankfurt/gpt-4o": 1}}} if input.request.model == "gpt-4o"
