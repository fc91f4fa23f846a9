# Spend alarm: records say what was asked while money was short, and which single
# exchanges cost much.
#
# Use it to find what a budget goes to, in the ledger. The budget is `team` of the
# configuration, whose own `alert` tells people; this tells records. These rules run
# when the client has its response and hold nothing up.
package attache.response

import rego.v2

# METADATA
# custom: {id: spend-state}
label contains {"spend": input.budgets.team.state} if input.budgets.team.state != "ok"

# Half a dollar, in nano-dollars.
# METADATA
# custom: {id: spend-dear}
label contains {"dear": "yes"} if input.response.cost_nano > 500000000
