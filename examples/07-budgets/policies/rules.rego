package attache.request

import rego.v2

# When a team's money runs low, the cheap model is good enough.
#
# METADATA
# custom: {id: downgrade}
route contains {"chain": ["cheap"]} if {
	input.request.model == "smart"
	input.budgets.team.left_permille < 200
}

# METADATA
# custom: {id: exhausted}
deny contains {"code": "no_money", "status": 402, "message": "your team has spent its money for this month"} if {
	input.budgets.team.state == "exhausted"
}
