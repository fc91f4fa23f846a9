# Routing by budget: providers with money left come first, and one that is nearly
# out of it is kept for those who ask for nothing else.
#
# Use it where each provider has a budget of its own, as credits or a commitment:
# a budget `per: provider` in the configuration. What is left of limits and budgets
# per model counts as well. A provider whose budget is used up is left out anyway.
package attache.request

import rego.v2

# METADATA
# custom: {id: budget-prefer}
route contains {"prefer": concat("=", ["provider", c.provider]), "weight": 3} if {
	some c in input.candidates
	c.left_permille >= 250
}

# METADATA
# custom: {id: budget-exclude}
route contains {"exclude": {"target": concat("/", [c.provider, c.model])}} if {
	some c in input.candidates
	c.left_permille < 50
	some_target_has_money
}

some_target_has_money if {
	some c in input.candidates
	c.left_permille >= 50
}
