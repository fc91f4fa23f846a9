# Claims: the department in a token decides which models its owner may use.
#
# Use it where an identity provider knows who works where (`auth: {mode: jwt}`):
# when people move, nobody changes a policy. Claims are the issuer's words, not the
# client's. Who comes with a key has none, and may use no model here.
package attache.request

import rego.v2

import data.attache.lib.targets

# METADATA
# custom: {id: department-models}
route contains {"require": {"model": department_models}}

# METADATA
# custom: {id: department-refusal}
deny contains {"code": "not_for_department", "message": "your department may not use this model"} if {
	input.candidates != []
	not targets.some_model(department_models)
}

# METADATA
# custom: {id: department-label}
label contains {"department": input.caller.claims.department}

models_of_department := {
	"research": ["gpt-4o", "gpt-5", "claude-sonnet-4-5"],
	"sales": ["gpt-4o-mini"],
}

department_models := models_of_department[input.caller.claims.department] if not on_probation

# Claims can be nested, and have any names that the issuer gives them.
on_probation if "probation" in input.caller.claims["https://example.com/status"].flags
