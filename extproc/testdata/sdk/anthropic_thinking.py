"""Thinking through the Messages API: blocks, signatures and their way back."""

from checks import HI, MODEL, PROVIDER, TEXT, anthropic_client, check, main, model, only, sent

client = anthropic_client()
THOUGHT = "The user wants an answer."
SIGNATURE = "bW9jayBzaWduYXR1cmU="
ASK = {"model": MODEL, "max_tokens": 4096, "messages": HI, "thinking": {"type": "enabled", "budget_tokens": 2048}}


def create(**more):
    return client.messages.create(**{**ASK, **more})


@only("anthropic")
def round_trip():
    answer = create()
    thinking, text = answer.content
    assert (thinking.type, thinking.thinking, thinking.signature) == ("thinking", THOUGHT, SIGNATURE) and text.text == TEXT, answer
    create(messages=[*HI, {"role": "assistant", "content": answer.content}, *HI])
    assert sent()["messages"][1]["content"][0] == {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}, sent()


@only("anthropic")
def streamed():
    with client.messages.stream(**ASK) as s:
        thoughts = "".join(e.thinking for e in s if e.type == "thinking")
        final = s.get_final_message()
    assert thoughts == THOUGHT and final.content[0].signature == SIGNATURE and final.content[1].text == TEXT, final


@only("openai")
def effort():
    answer = create()
    assert answer.content[0].text == TEXT, answer


@only("openai")
def unsigned():
    answer = create(model=model(replay="reasoning"))
    assert [b.type for b in answer.content] == ["thinking", "text"] and answer.content[0].thinking == THOUGHT, answer
    with client.messages.stream(**{**ASK, "model": model(replay="reasoning-stream")}) as s:
        final = s.get_final_message()
    assert [b.type for b in final.content] == ["thinking", "text"] and final.content[0].thinking == THOUGHT, final
    create(messages=[*HI, {"role": "assistant", "content": answer.content}, *HI])  # a turn of the same conversation
    assert TEXT in str(sent()["messages"][1]), sent()


@check
def without():
    answer = create(thinking={"type": "disabled"})
    assert [b.type for b in answer.content] == ["text"], (PROVIDER, answer)


main()
