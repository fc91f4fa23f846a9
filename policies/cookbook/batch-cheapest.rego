# Batch jobs: work that nobody waits for goes to the cheapest target, with time.
#
# Use it for nightly jobs. A job says what it is in the property `job`, which can
# only make it slower. Streams are for people, so they are never a batch.
package attache.request

import rego.v2

# METADATA
# custom: {id: batch-cheapest}
route contains {"pick": "cheapest", "timeout_ms": 600000} if {
	input.properties.job == "batch"
	not input.request.stream
}
