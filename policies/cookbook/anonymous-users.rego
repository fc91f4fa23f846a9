# Anonymous users: the name of the end user goes neither to providers nor into
# the record, and what clients say about a request in `metadata` not to providers.
#
# Use it where the name is a person's and nobody needs it. Rules still see it,
# and requests of one user still stick together.
package attache.request

import rego.v2

# METADATA
# custom: {id: anonymous-upstream}
modify contains {"path": "/user", "op": "remove"}

# METADATA
# custom: {id: anonymous-metadata}
modify contains {"path": "/metadata", "op": "remove"}

# METADATA
# custom: {id: anonymous-record}
log contains {"redact": "/user"}
