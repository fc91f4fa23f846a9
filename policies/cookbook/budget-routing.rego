# Routing by budget: where the money of a provider runs low, those with more of it
# come first, and one that is nearly out of money is left to who asks for nothing
# else.
#
# Use it where each provider has a budget of its own, as credits or a commitment:
# a budget `per: provider` in the configuration. What is left of limits and budgets
# per model counts as well. A provider whose budget is used up is left out anyway.
package attache.request

import rego.v2

# Without a low one the order stays as it is, also that of a chain of other rules,
# whose targets need not be among the candidates.
# METADATA
# custom: {id: budget-prefer}
route contains {"prefer": concat("=", ["target", concat("/", [c.provider, c.model])]), "weight": 3} if {
	some_target_is_low
	some c in input.candidates
	c.left_permille >= 250
}

# METADATA
# custom: {id: budget-exclude}
route contains {"exclude": {"target": concat("/", [c.provider, c.model])}} if {
	some_target_has_money
	some c in input.candidates
	c.left_permille < 50
}

some_target_is_low if {
	some c in input.candidates
	c.left_permille < 250
}

some_target_has_money if {
	some c in input.candidates
	c.left_permille >= 50
}
