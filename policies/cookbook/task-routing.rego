# Task routing: the kind of a task, which the client names, decides the model.
#
# Use it so that applications say what they do and you say with what. The header
# is x-attache-property-task. A request for another model than `auto` gets what
# it asks for.
package attache.request

import rego.v2

# METADATA
# custom: {id: task}
route contains {"chain": chain_for_task[input.properties.task]} if input.request.model == "auto"

# METADATA
# custom: {id: task-unknown}
route contains {"chain": ["cheap"]} if {
	input.request.model == "auto"
	not chain_for_task[input.properties.task]
}

chain_for_task := {
	"code": ["anthropic/claude-sonnet-4-5", "openai/gpt-5"],
	"summary": ["cheap"],
	"extraction": ["openai/gpt-4o-mini"],
	"translation": ["openai/gpt-4o", "cheap"],
}
