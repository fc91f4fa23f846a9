# Log redaction: what stands in records differs by organisation.
#
# Use it where a contract says what you may keep. Usage is booked all the same.
package attache.request

import rego.v2

# METADATA
# custom: {id: log-redaction}
log contains {"redact": ["/user", "/session", "/properties/email"]} if input.caller.org == "acme"

# Nothing of these at all, unless something broke.
# METADATA
# custom: {id: log-none}
log contains {"level": "none"} if input.caller.org in {"hospital", "notary"}
