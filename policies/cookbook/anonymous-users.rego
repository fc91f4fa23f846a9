# Anonymous users: the name of the end user goes neither to providers nor into
# the record.
#
# Use it where the name is a person's and nobody needs it. Rules still see it,
# and requests of one user still stick together. The user of OpenAI's formats is
# taken out wherever the request goes; Anthropic's `metadata.user_id` is passed on
# to providers that speak Anthropic's format, so it must not be a name.
package attache.request

import rego.v2

# METADATA
# custom: {id: anonymous-upstream}
modify contains {"path": "/user", "op": "remove"} if input.request.op in {"chat", "embeddings"}

# METADATA
# custom: {id: anonymous-record}
log contains {"redact": "/user"} if input.request.op in {"chat", "embeddings"}
