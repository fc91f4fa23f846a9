# The targets that a request could go to.
package attache.lib.targets

import rego.v2

# All of them are of models in an object or a set of names. Not true of none.
only_models(names) if {
	count(input.candidates) > 0
	every c in input.candidates {
		c.model in names
	}
}

# One of them is of a model in a set of names.
some_model(names) if {
	some c in input.candidates
	c.model in names
}

# All of them are of providers in a set of names. Not true of none.
only_providers(names) if {
	count(input.candidates) > 0
	every c in input.candidates {
		c.provider in names
	}
}

# One of them is of a provider in a set of names.
some_provider(names) if {
	some c in input.candidates
	c.provider in names
}

# One of them has a tag with a value.
some_tag(name, value) if {
	some c in input.candidates
	c.tags[name] == value
}
