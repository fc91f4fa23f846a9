"""Reasoning through Chat Completions: text, signatures and their way back to the provider that made them."""

from checks import HI, MODEL, PROVIDER, TEXT, check, main, model, only, openai_client, sent

client = openai_client()
create = client.chat.completions.create

THOUGHT = "The user wants an answer."
SIGNED = [{"type": "thinking", "thinking": THOUGHT, "signature": "bW9jayBzaWduYXR1cmU="}]


@only("anthropic")
def round_trip():
    message = create(model=MODEL, messages=HI, reasoning_effort="high").choices[0].message
    assert sent()["thinking"]["type"] == "enabled", sent()
    assert message.content == TEXT and message.reasoning_content == THOUGHT, message
    assert message.thinking_blocks == SIGNED, message
    create(model=MODEL, messages=[*HI, message, *HI], reasoning_effort="high")
    assert sent()["messages"][1]["content"][0] == SIGNED[0], sent()


@only("anthropic")
def streamed():
    text, blocks, answer = "", [], ""
    for chunk in create(model=MODEL, messages=HI, reasoning_effort="low", stream=True):
        delta = chunk.choices[0].delta
        text += getattr(delta, "reasoning_content", None) or ""
        blocks += getattr(delta, "thinking_blocks", None) or []
        answer += delta.content or ""
    assert text == THOUGHT and answer == TEXT, (text, answer)
    assert "".join(b.get("signature") or "" for b in blocks) == SIGNED[0]["signature"], blocks


@only("anthropic")
def helper():
    with client.chat.completions.stream(model=MODEL, messages=HI, reasoning_effort="low") as events:
        message = events.get_final_completion().choices[0].message
    assert message.content == TEXT and message.reasoning_content == THOUGHT, message


@only("openai")
def as_compatible_servers_tell_it():
    message = create(model=model(replay="reasoning"), messages=HI).choices[0].message
    assert message.reasoning_content == THOUGHT and message.content == TEXT, message
    chunks = list(create(model=model(replay="reasoning-stream"), messages=HI, stream=True))
    assert "".join(getattr(c.choices[0].delta, "reasoning_content", None) or "" for c in chunks) == THOUGHT, chunks
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == TEXT, chunks


@check
def without():
    message = create(model=MODEL, messages=HI).choices[0].message
    assert not getattr(message, "reasoning_content", None) and not getattr(message, "thinking_blocks", None), (PROVIDER, message)


main()
