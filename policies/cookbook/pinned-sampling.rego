# Pinned sampling: what has to come out the same each time is asked for with the
# same parameters, whatever the client says.
#
# Use it for evaluations and for extraction. The header is
# x-attache-property-sampling: pinned; keys can have the label `sampling: pinned`.
package attache.request

import rego.v2

# METADATA
# custom: {id: pinned-temperature}
modify contains {"path": "/temperature", "value": 0} if sampling_is_pinned

# METADATA
# custom: {id: pinned-seed}
modify contains {"path": "/seed", "value": 7} if sampling_is_pinned

# METADATA
# custom: {id: pinned-top-p}
modify contains {"path": "/top_p", "op": "remove"} if sampling_is_pinned

sampling_is_pinned if input.caller.labels.sampling == "pinned"

sampling_is_pinned if input.properties.sampling == "pinned"
