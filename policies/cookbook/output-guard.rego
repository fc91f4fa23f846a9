# Output guard: a guard looks at what models say to people outside the house.
#
# Use it where answers may have in them what the outside must not see, as names and
# numbers from documents that were in the prompt. Your own people get answers as
# they are. The guard `pii` is configured with `on: [input, output]` and `run: asked`.
# Who is inside says the key, in the label `audience`; who does not say is outside.
package attache.request

import rego.v2

# METADATA
# custom: {id: output-guard}
guard contains {"name": "pii", "on": "output"} if not input.caller.labels.audience == "staff"

# METADATA
# custom: {id: output-guard-label}
label contains {"audience": "staff"} if input.caller.labels.audience == "staff"
