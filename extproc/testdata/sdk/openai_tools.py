"""Tool calls: one, several at once, streamed and not, and their results on the way back."""

import json

from checks import MODEL, PROVIDER, TEXT, check, main, model, openai_client, sent

client = openai_client()
create = client.chat.completions.create

ASK = [{"role": "user", "content": "Please use tool."}]
TOOLS = [{"type": "function", "function": {
    "name": name,
    "description": "Tells the " + name + ".",
    "strict": True,
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False},
}} for name in ("weather", "time")]


def joined(chunks):
    """The tool calls of a stream as a client adds them up."""
    calls = {}
    for chunk in chunks:
        for delta in chunk.choices[0].delta.tool_calls or []:
            call = calls.setdefault(delta.index, {"id": None, "name": "", "arguments": ""})
            call["id"] = call["id"] or delta.id
            call["name"] += delta.function.name or ""
            call["arguments"] += delta.function.arguments or ""
    assert sorted(calls) == list(range(len(calls))), calls
    return [calls[i] for i in sorted(calls)]


def results(calls):
    return [{"role": "tool", "tool_call_id": call.id, "content": f"It is {i}."} for i, call in enumerate(calls)]


@check
def round_trip():
    answer = create(model=MODEL, messages=ASK, tools=TOOLS)
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.content is None, answer
    [call] = choice.message.tool_calls
    assert call.type == "function" and call.function.name == "weather" and call.id, call
    assert json.loads(call.function.arguments) == {"city": "Paris"}, call
    back = create(model=MODEL, messages=[*ASK, choice.message, *results([call])], tools=TOOLS)
    assert back.choices[0].message.content == TEXT, back
    messages = sent()["messages"]
    if PROVIDER == "anthropic":
        assert messages[1]["content"] == [{"type": "tool_use", "id": call.id, "name": "weather", "input": {"city": "Paris"}}], messages
        [result] = messages[2]["content"]
        assert result["type"] == "tool_result" and result["tool_use_id"] == call.id and "It is 0." in str(result), messages
        assert sent()["tools"][0]["input_schema"] == TOOLS[0]["function"]["parameters"], sent()
    else:
        assert messages[2] == {"role": "tool", "tool_call_id": call.id, "content": "It is 0."}, messages


@check
def streamed():
    chunks = list(create(model=MODEL, messages=ASK, tools=TOOLS, stream=True))
    [call] = joined(chunks)
    assert call["id"] and call["name"] == "weather" and json.loads(call["arguments"]) == {"city": "Paris"}, call
    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["tool_calls"], chunks


@check
def helper():
    with client.chat.completions.stream(model=MODEL, messages=ASK, tools=TOOLS) as events:
        done = [e for e in events if e.type == "tool_calls.function.arguments.done"]
        final = events.get_final_completion()
    assert [(e.name, e.index, e.parsed_arguments) for e in done] == [("weather", 0, {"city": "Paris"})], done
    [call] = final.choices[0].message.tool_calls
    assert call.function.parsed_arguments == {"city": "Paris"} and final.choices[0].finish_reason == "tool_calls", final


@check
def parallel():
    choice = create(model=model(replay="parallel"), messages=ASK, tools=TOOLS).choices[0]
    calls = choice.message.tool_calls
    assert [(c.function.name, json.loads(c.function.arguments)) for c in calls] == [
        ("weather", {"city": "Paris"}), ("time", {"city": "Rome"})], calls
    assert len({c.id for c in calls}) == 2 and choice.finish_reason == "tool_calls", choice
    assert choice.message.content == "Let me see.", choice
    create(model=MODEL, messages=[*ASK, choice.message, *results(calls)], tools=TOOLS)
    messages = sent()["messages"]
    if PROVIDER == "anthropic":  # which wants the results of one turn in one turn
        assert [m["role"] for m in messages] == ["user", "assistant", "user"], messages
        assert [r["tool_use_id"] for r in messages[2]["content"]] == [c.id for c in calls], messages
    else:
        assert [m.get("tool_call_id") for m in messages[2:]] == [c.id for c in calls], messages


@check
def parallel_streamed():
    calls = joined(list(create(model=model(replay="parallel-stream"), messages=ASK, tools=TOOLS, stream=True)))
    assert [(c["name"], json.loads(c["arguments"])) for c in calls] == [("weather", {"city": "Paris"}), ("time", {"city": "Rome"})], calls
    assert len({c["id"] for c in calls}) == 2, calls
    with client.chat.completions.stream(model=model(replay="parallel-stream"), messages=ASK, tools=TOOLS) as events:
        message = events.get_final_completion().choices[0].message
    assert message.content == "Let me see.", message
    assert [c.function.parsed_arguments for c in message.tool_calls] == [{"city": "Paris"}, {"city": "Rome"}], message


@check
def choices():
    named = {"type": "function", "function": {"name": "time"}}
    for choice, theirs in {"auto": {"type": "auto"}, "required": {"type": "any"}, "none": {"type": "none"}, "named": {"type": "tool", "name": "time"}}.items():
        asked = named if choice == "named" else choice
        create(model=MODEL, messages=ASK, tools=TOOLS, tool_choice=asked)
        assert sent()["tool_choice"] == (theirs if PROVIDER == "anthropic" else asked), sent()


@check
def one_at_a_time():
    create(model=MODEL, messages=ASK, tools=TOOLS, parallel_tool_calls=False)
    body = sent()
    assert body.get("parallel_tool_calls") is False or body["tool_choice"]["disable_parallel_tool_use"] is True, body


main()
