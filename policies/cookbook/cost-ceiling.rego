# Cost ceiling: no model that costs more than so much per million output tokens.
#
# Use it so that nobody gets to the most expensive models by a name alone. Prices
# are integers of nano-dollars per million tokens: 12 dollars are 12000000000. A
# model whose price is not known is left out as well; give models of your own a
# price in attache.yaml, if only 0. Keys with the label `ceiling: none` may use all.
package attache.request

import rego.v2

# METADATA
# custom: {id: cost-ceiling}
route contains {"exclude": {"model": name}} if some name in above_ceiling

# METADATA
# custom: {id: cost-ceiling-refusal}
deny contains {"code": "too_expensive", "message": "this model costs more than a request may cost here"} if {
	count(above_ceiling) > 0
	every c in input.candidates {
		c.model in above_ceiling
	}
}

above_ceiling contains c.model if {
	object.get(input.caller.labels, "ceiling", "") != "none"
	some c in input.candidates
	c.output_price > 12000000000
}

above_ceiling contains c.model if {
	object.get(input.caller.labels, "ceiling", "") != "none"
	some c in input.candidates
	c.output_price < 0
}
