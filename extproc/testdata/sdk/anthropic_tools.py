"""Tool use: one call, several at once, streamed and not, and their results on the way back."""

import json

from checks import MODEL, PIXEL, PROVIDER, TEXT, anthropic_client, check, main, model, sent

client = anthropic_client()
QUESTION = [{"role": "user", "content": "Please use tool."}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"name": name, "description": "Tells the " + name + ".", "input_schema": SCHEMA} for name in ("weather", "time")]
ASK = {"model": MODEL, "max_tokens": 64, "messages": QUESTION, "tools": TOOLS}
BOTH = [("weather", {"city": "Paris"}), ("time", {"city": "Rome"})]


def create(**more):
    return client.messages.create(**{**ASK, **more})


def uses(message):
    return [block for block in message.content if block.type == "tool_use"]


def turns(message, *results):
    results = [{"type": "tool_result", "tool_use_id": use.id, "content": result} for use, result in zip(uses(message), results)]
    return [*QUESTION, {"role": "assistant", "content": message.content}, {"role": "user", "content": results}]


@check
def round_trip():
    answer = create()
    [use] = answer.content
    assert use.type == "tool_use" and use.name == "weather" and use.input == {"city": "Paris"} and use.id, answer
    assert answer.stop_reason == "tool_use", answer
    back = create(messages=turns(answer, "It is 0."))
    assert back.content[0].text == TEXT, back
    messages = sent()["messages"]
    if PROVIDER == "openai":
        [call] = messages[1]["tool_calls"]
        assert call["id"] == use.id and call["function"]["name"] == "weather", messages
        assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}, messages
        assert messages[2] == {"role": "tool", "tool_call_id": use.id, "content": "It is 0."}, messages
        assert sent()["tools"][0]["function"]["parameters"] == SCHEMA, sent()
    else:
        assert messages[2]["content"][0]["tool_use_id"] == use.id, messages


@check
def streamed():
    events = list(create(stream=True))
    [start] = [e for e in events if e.type == "content_block_start"]
    assert start.content_block.type == "tool_use" and start.content_block.name == "weather" and start.content_block.input == {}, start
    parts = [e.delta.partial_json for e in events if e.type == "content_block_delta"]
    assert json.loads("".join(parts)) == {"city": "Paris"}, parts


@check
def helper():
    with client.messages.stream(**ASK) as s:
        snapshots = [e.snapshot for e in s if e.type == "input_json"]
        final = s.get_final_message()
    assert snapshots[-1] == {"city": "Paris"} and final.stop_reason == "tool_use", (snapshots, final)
    assert [(u.name, u.input) for u in uses(final)] == BOTH[:1], final


@check
def parallel():
    answer = create(model=model(replay="parallel"))
    assert answer.content[0].text == "Let me see." and [(u.name, u.input) for u in uses(answer)] == BOTH, answer
    assert len({u.id for u in uses(answer)}) == 2, answer
    create(messages=turns(answer, "It is 0.", "It is 1."))
    messages = sent()["messages"]
    if PROVIDER == "openai":
        assert [(m["role"], m["content"]) for m in messages[2:]] == [("tool", "It is 0."), ("tool", "It is 1.")], messages
        assert [m["tool_call_id"] for m in messages[2:]] == [u.id for u in uses(answer)], messages


@check
def parallel_streamed():
    with client.messages.stream(**{**ASK, "model": model(replay="parallel-stream")}) as s:
        final = s.get_final_message()
    assert final.content[0].text == "Let me see." and [(u.name, u.input) for u in uses(final)] == BOTH, final


@check
def failed_result_and_image():
    answer = create()
    [use] = uses(answer)
    failed = {"type": "tool_result", "tool_use_id": use.id, "is_error": True, "content": "no such city"}
    create(messages=[*QUESTION, {"role": "assistant", "content": answer.content}, {"role": "user", "content": [failed]}])
    assert "no such city" in str(sent()["messages"][2]), sent()
    picture = [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}]
    create(messages=turns(answer, picture))
    assert PIXEL in str(sent()["messages"]), sent()


@check
def choices():
    for choice, theirs in ({"type": "auto"}, "auto"), ({"type": "any"}, "required"), ({"type": "none"}, "none"), (
            {"type": "tool", "name": "time"}, {"type": "function", "function": {"name": "time"}}):
        create(tool_choice=choice)
        assert sent()["tool_choice"] == (choice if PROVIDER == "anthropic" else theirs), sent()
    create(tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    body = sent()
    assert body.get("parallel_tool_calls") is False or body["tool_choice"]["disable_parallel_tool_use"] is True, body


main()
