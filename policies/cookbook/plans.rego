# Plans: what a key pays for decides which models it gets and how long an answer
# may be.
#
# Use it to sell tiers. The plan is the label `plan` of the key, whatever it has
# spent so far: see budget-tiers for that. A key without a plan, or with one that
# is not here, is a bronze one.
package attache.request

import rego.v2

import data.attache.lib.targets

# METADATA
# custom: {id: plan-models}
route contains {"require": {"model": plan_now.models}} if plan_now.models

# METADATA
# custom: {id: plan-refusal}
deny contains {"code": "plan_too_small", "status": 402, "message": concat("", ["this model is not in the plan ", plan_name])} if {
	input.candidates != []
	not targets.some_model(plan_now.models)
	plan_now.models
}

# METADATA
# custom: {id: plan-output}
modify contains {"path": "/max_tokens", "max": plan_now.max_tokens} if {
	input.request.op == "chat"
	plan_now.max_tokens
}

# METADATA
# custom: {id: plan-label}
label contains {"plan": plan_name}

plan_now := plans[plan_name]

plan_name := input.caller.labels.plan if {
	plans[input.caller.labels.plan]
} else := "bronze"

# Gold has no restriction.
plans := {
	"gold": {},
	"silver": {"models": ["gpt-4o", "gpt-4o-mini", "llama3.3"], "max_tokens": 4096},
	"bronze": {"models": ["gpt-4o-mini", "llama3.3"], "max_tokens": 1024},
}
