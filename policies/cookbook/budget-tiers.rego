# Budget tiers: when a team's money runs low its chats go to a cheap model, and
# when it is nearly gone expensive models are refused.
#
# Use it so that a month ends with shorter answers instead of none. The money is
# the budget `team` of the configuration, which refuses everything when it is used
# up, so this is about the fifth before that. Clients see the state in a header.
package attache.request

import rego.v2

# METADATA
# custom: {id: budget-downgrade}
route contains {"chain": ["cheap"]} if {
	input.request.op == "chat"
	budget_is_low
}

# METADATA
# custom: {id: budget-refusal}
deny contains {"code": "budget_low", "status": 402, "message": concat(" ", ["your team's budget is nearly used up, and this model is expensive; it starts anew", budget_starts_anew])} if {
	input.budgets.team.left_permille < 50
	input.candidates != []
	every c in input.candidates {
		expensive(c.output_price)
	}
}

# METADATA
# custom: {id: budget-header}
header contains {"on": "response", "name": "x-budget", "value": "low"} if budget_is_low

budget_is_low if input.budgets.team.left_permille < 200

# Comparisons let decisions be kept. With the seconds themselves in the message
# each second would be another case.
budget_starts_anew := "within a day" if {
	input.budgets.team.resets_s < 86400
} else := "within a week" if {
	input.budgets.team.resets_s < 604800
} else := "on the first of the month"

# More than a dollar per million tokens of output, in nano-dollars, or nobody knows.
expensive(price) if price > 1000000000

expensive(price) if price < 0
