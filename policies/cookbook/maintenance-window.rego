# Maintenance: a provider is not used while it is being worked on.
#
# Use it for announced windows. The times are milliseconds since 1970, as
# `date -d 2026-12-05T22:00Z +%s000` prints them; numbers in the rule itself let
# the gateway keep decisions. Requests that have no other target are told when
# to come back.
package attache.request

import rego.v2

# METADATA
# custom: {id: maintenance}
route contains {"exclude": {"provider": "frankfurt"}} if frankfurt_is_down

# METADATA
# custom: {id: maintenance-refusal}
deny contains {"code": "maintenance", "status": 503, "message": "this provider is being worked on", "retry_after_s": 900} if {
	frankfurt_is_down
	input.candidates != []
	every c in input.candidates {
		c.provider == "frankfurt"
	}
}

frankfurt_is_down if {
	input.time.unix_ms >= 1796508000000 # 2026-12-05 22:00 UTC
	input.time.unix_ms < 1796522400000 # 2026-12-06 02:00 UTC
}
