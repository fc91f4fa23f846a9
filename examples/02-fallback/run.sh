#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# The first provider is out of order.
mock openai -dialect openai -fault 503
mock anthropic -dialect anthropic
mock backup -dialect openai
up

hello='"messages":[{"role":"user","content":"Say hello."}]'

say "The first provider answers 503, the second one is asked"
ask /v1/chat/completions '{"model":"smart",'"$hello"'}'

# A list of targets with commas is a chain of the client's own. The mocks take
# further faults from the model's name.
say "A stream that says nothing after its headers, and one whose first event is an error"
ask /v1/chat/completions '{"model":"openai/m@fault=stall-after-headers,anthropic/claude-sonnet-4-5@fault=error-first,backup/gpt-4o","stream":true,'"$hello"'}' 'x-attache-first-token: 500ms'

say "A web page with status 200 is no answer either"
ask /v1/chat/completions '{"model":"openai/m@fault=html,backup/gpt-4o",'"$hello"'}'

say "All fail: the client gets an error in its own format"
ask /v1/messages '{"model":"openai/m@fault=500,anthropic/m@fault=529","max_tokens":100,'"$hello"'}' 'anthropic-version: 2023-06-01'

say "A mistake of the client is not tried elsewhere"
ask /v1/chat/completions '{"model":"openai/m@fault=400,backup/gpt-4o",'"$hello"'}'

finish
