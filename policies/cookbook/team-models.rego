# Model lists: each team may use the models on its list.
#
# Use it to hand out models by team. The list names models as providers do, so it
# holds whatever name the client uses. Teams that are not here may use none.
package attache.request

import rego.v2

import data.attache.lib.targets

# METADATA
# custom: {id: team-models}
route contains {"require": {"model": models_of_team[input.caller.team]}}

# METADATA
# custom: {id: team-models-refusal}
deny contains {"code": "model_not_allowed", "message": "your team may not use this model"} if {
	input.candidates != []
	not targets.some_model(object.get(models_of_team, input.caller.team, []))
}

models_of_team := {
	"search": ["gpt-4o", "gpt-4o-mini", "llama3.3"],
	"support": ["claude-sonnet-4-5"],
}
