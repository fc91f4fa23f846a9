# Personal data stays in the house: a request in which a guard finds some goes to
# a model of your own, with the text as it is.
#
# Use it where redaction would spoil the answer. It needs the guard `pii` with
# `run: asked`, which looks because this rule reads its findings, but redacts and
# blocks nothing unless a rule asks for it. What is no chat, as embeddings, finds
# no target if it has personal data, unless it names one in the house.
package attache.request

import rego.v2

# METADATA
# custom: {id: pii-to-local}
route contains {"chain": ["private"]} if {
	input.request.op == "chat"
	has_pii
}

# Whatever other rules say.
# METADATA
# custom: {id: pii-local-only}
route contains {"require": {"house": "yes"}} if has_pii

# METADATA
# custom: {id: pii-label}
label contains {"pii": "yes"} if has_pii

# A guard that failed has found nothing, which does not mean that there is nothing.
has_pii if input.guards.pii.action in {"redact", "block", "failed"}
