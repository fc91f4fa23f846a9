# Prompt size: prompts above so many tokens are refused, and bodies above so many
# bytes before anybody counts.
#
# Use it against whole books by mistake. Keys with the label `prompts: long` may
# send them.
package attache.request

import rego.v2

# METADATA
# custom: {id: prompt-tokens}
deny contains {"code": "prompt_too_long", "status": 413, "message": "prompts have at most 30000 tokens here"} if {
	input.request.op == "chat"
	input.request.tokens.input > 30000
	not may_send_long_prompts
}

# METADATA
# custom: {id: prompt-messages}
deny contains {"code": "too_many_messages", "status": 413, "message": "conversations have at most 500 messages here"} if {
	input.request.messages > 500
	not may_send_long_prompts
}

may_send_long_prompts if input.caller.labels.prompts == "long"
