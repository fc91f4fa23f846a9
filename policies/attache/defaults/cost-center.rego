# Costs are booked on the caller's team.
package attache.request

import rego.v2

# METADATA
# custom: {id: cost-center}
label contains {"cost_center": input.caller.team} if input.caller.team != ""
