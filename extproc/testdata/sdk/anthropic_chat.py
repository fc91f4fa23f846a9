"""Messages, streamed and not: texts, instructions, images, limits, usage and formats."""

import anthropic
import pydantic
from checks import HI, MODEL, PIXEL, PROVIDER, TEXT, anthropic_client, check, main, model, only, raises, sent, sent_headers

client = anthropic_client()
ASK = {"model": MODEL, "max_tokens": 64, "messages": HI}


class Place(pydantic.BaseModel):
    city: str


def create(**more):
    return client.messages.create(**{**ASK, **more})


@check
def whole():
    answer = create()
    assert answer.type == "message" and answer.role == "assistant" and answer.stop_reason == "end_turn", answer
    assert [block.text for block in answer.content] == [TEXT] and answer.id and answer.model, answer
    assert answer.usage.output_tokens == 3 and answer.usage.input_tokens > 0, answer.usage


@check
def headers():
    response = client.messages.with_raw_response.create(**ASK)
    assert response.headers["x-attache-provider"] == PROVIDER and response.headers["x-attache-attempts"] == "1", response.headers
    got = sent_headers()
    assert f"sk-of-{PROVIDER}" in (got.get("authorization", "") + got.get("x-api-key", "")), got
    assert not any(client.api_key in value for value in got.values()), got
    assert (PROVIDER == "anthropic") == ("anthropic-version" in got), got


@check
def stream():
    events = list(create(stream=True))
    kinds = [e.type for e in events if e.type != "ping"]
    assert kinds[:2] == ["message_start", "content_block_start"], kinds
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"], kinds
    assert "".join(e.delta.text for e in events if e.type == "content_block_delta") == TEXT, events
    [end] = [e for e in events if e.type == "message_delta"]
    assert end.delta.stop_reason == "end_turn" and end.usage.output_tokens == 3, end


@check
def stream_helper():
    with client.messages.stream(**ASK) as s:
        assert "".join(s.text_stream) == TEXT
        final = s.get_final_message()
    assert final.stop_reason == "end_turn" and final.content[0].text == TEXT, final
    whole = create().usage
    assert (final.usage.input_tokens, final.usage.output_tokens) == (whole.input_tokens, whole.output_tokens), (final.usage, whole)


@check
def long_stream_in_pieces():
    with client.messages.stream(**{**ASK, "model": model(events=500, chunks="random:7")}) as s:
        words = "".join(s.text_stream).split()
    assert len(words) == 500 and words[:3] == TEXT.split(), words[:9]


@check
def instructions():
    for system in "Be brief.", [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]:
        create(system=system)
        body = sent()
        if PROVIDER == "anthropic":
            assert body["system"] == system, body
        else:
            assert body["messages"] == [{"role": "system", "content": "Be brief."}, *HI], body


@check
def limits():
    create(max_tokens=17, stop_sequences=["END", "STOP"], metadata={"user_id": "u-1"}, extra_body={"temperature": 0.5})
    body = sent()
    assert body["temperature"] == 0.5 and 17 in (body.get("max_tokens"), body.get("max_completion_tokens")), body
    assert ["END", "STOP"] in (body.get("stop"), body.get("stop_sequences")), body
    assert "u-1" in (body.get("user"), body.get("safety_identifier"), body.get("metadata", {}).get("user_id")), body


@only("anthropic")
def stop_sequence():
    answer = create(model=model(replay="stopped"))
    assert answer.stop_reason == "stop_sequence" and answer.stop_sequence == "END", answer


@check
def images():
    answer = create(messages=[{"role": "user", "content": [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
        {"type": "text", "text": "What is this?"},
    ]}])
    assert answer.content[0].text == TEXT + " I see 2 images.", answer
    if PROVIDER == "openai":
        assert [part.get("image_url", {}).get("url") for part in sent()["messages"][0]["content"]] == [
            "data:image/png;base64," + PIXEL, "https://example.com/cat.png", None,
        ], sent()


@check
def parsed_format():
    name = model(text='{"city":"Paris"}')
    answer = client.messages.parse(**{**ASK, "model": name}, output_format=Place)
    assert answer.parsed_output == Place(city="Paris"), answer
    body = sent()
    schema = body["output_config"]["format"]["schema"] if PROVIDER == "anthropic" else body["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["city"], body
    with client.messages.stream(**{**ASK, "model": name}, output_format=Place) as s:
        assert s.get_final_message().parsed_output == Place(city="Paris")


@check
def beta():
    answer = client.beta.messages.create(**ASK, betas=["context-1m-2025-08-07"])
    assert answer.content[0].text == TEXT, answer
    if PROVIDER == "anthropic":
        assert sent_headers()["anthropic-beta"] == "context-1m-2025-08-07", sent_headers()


@check
def counted():
    n = client.messages.count_tokens(model=MODEL, messages=HI, system="Be brief.").input_tokens
    assert 3 < n < 30, n
    more = client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "Hi " * 100}]).input_tokens
    assert more > n + 50, (n, more)


@check
def models():
    page = client.models.list()
    ids = [m.id for m in page]
    assert {"smart", "openai/gpt-4o", "anthropic/claude-sonnet-4-5"} <= set(ids) and page.first_id == ids[0], page
    assert all(m.type == "model" and client.models.retrieve(m.id).id == m.id for m in page)
    raises(anthropic.NotFoundError, client.models.retrieve, "nobody")


@check
def fallback():
    other = {"openai": "spare-anthropic/claude-sonnet-4-5", "anthropic": "spare-openai/gpt-4o"}[PROVIDER]
    answer = create(model=f"{other}@fault=529,{MODEL}")
    assert answer.content[0].text == TEXT, answer
    with client.messages.stream(**{**ASK, "model": f"{other}@fault=error-first,{MODEL}"}) as s:
        assert "".join(s.text_stream) == TEXT


main()
