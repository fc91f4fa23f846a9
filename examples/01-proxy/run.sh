#!/bin/sh
. "$(dirname "$0")/../lib.sh"

mock openai -dialect openai
mock anthropic -dialect anthropic
up

hello='"messages":[{"role":"user","content":"Say hello."}]'

say "An OpenAI client and a model of OpenAI: the body is passed on"
ask /v1/chat/completions '{"model":"openai/gpt-4o",'"$hello"'}'
received openai

say "The same client and a model of Anthropic: both ways are translated"
ask /v1/chat/completions '{"model":"anthropic/claude-sonnet-4-5",'"$hello"'}' 'authorization: Bearer of-the-client'
received anthropic

say "An Anthropic client and a model of OpenAI, streamed"
ask /v1/messages '{"model":"openai/gpt-4o","max_tokens":100,"stream":true,'"$hello"'}' 'anthropic-version: 2023-06-01'
received openai

say "What the other provider cannot express is left out with a warning, or refused"
ask /v1/chat/completions '{"model":"anthropic/claude-sonnet-4-5","logprobs":true,'"$hello"'}'
ask /v1/chat/completions '{"model":"anthropic/claude-sonnet-4-5","n":2,'"$hello"'}'

finish
