#!/bin/sh
. "$(dirname "$0")/../lib.sh"

mock openai -dialect openai
mock anthropic -dialect anthropic
mock bank -dialect openai -text 'We have the money on the account DE89 3704 0044 0532 0130 00 and will send it.'
PII_SHA256=$(cut -d' ' -f1 "$root/wasm-plugins/pii/pii.wasm.sha256")
export PII_SHA256
up

say "Nothing to find: the body is passed on"
ask /v1/chat/completions '{"model":"openai/gpt-4o","messages":[{"role":"user","content":"Say hello."}]}'
received openai

say "An e-mail address is redacted, whichever format the client and the provider speak"
ask /v1/chat/completions '{"model":"openai/gpt-4o","messages":[{"role":"user","content":"Write to jane.doe@example.com."}]}'
received openai
ask /v1/messages '{"model":"openai/gpt-4o","max_tokens":100,"messages":[{"role":"user","content":"Write to jane.doe@example.com."}]}' 'anthropic-version: 2023-06-01'
received openai

say "The number of a payment card is refused; no provider sees the request"
ask /v1/chat/completions '{"model":"anthropic/claude-sonnet-4-5","messages":[{"role":"user","content":"My card is 4111 1111 1111 1111."}]}'
received anthropic

say "An IBAN in a response is redacted, although it comes in six events of a stream"
ask /v1/chat/completions '{"model":"bank/gpt-4o","stream":true,"messages":[{"role":"user","content":"Where is it?"}]}'
ask /v1/messages '{"model":"bank/gpt-4o","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Where is it?"}]}' 'anthropic-version: 2023-06-01'

finish
