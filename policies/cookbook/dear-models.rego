# Allowance for dear models: each team may send so many requests a day that may go
# to one of them. All others go on when that is used up, and do not count.
#
# Use it beside a budget, so that nobody spends a month on one evening of the
# largest model. The limit has a name, and so a count of its own; without one it
# would look at the count of everything that the team sends. A request that names
# several models counts if one of them is dear.
package attache.request

import rego.v2

import data.attache.lib.targets

# METADATA
# custom: {id: dear-models}
limit contains {"name": "dear-models", "per": "team", "window": "day", "requests": 50} if {
	targets.some_model(dear_models)
}

dear_models := ["o1-pro", "claude-opus-4-1"]
