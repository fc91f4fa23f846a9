"""Chat completions, streamed and not: texts, instructions, images, limits, usage and formats."""

import openai
import pydantic
from checks import HI, MODEL, PIXEL, PROVIDER, TEXT, check, main, model, only, openai_client, raises, sent, sent_headers

client = openai_client()
create = client.chat.completions.create


class Place(pydantic.BaseModel):
    city: str


@check
def whole():
    answer = create(model=MODEL, messages=HI)
    choice = answer.choices[0]
    assert choice.message.content == TEXT and choice.message.role == "assistant" and choice.finish_reason == "stop", answer
    assert not choice.message.tool_calls, choice
    assert answer.object == "chat.completion" and answer.id and answer.model, answer
    usage = answer.usage
    assert usage.completion_tokens == 3 and usage.prompt_tokens > 0, usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage


@check
def headers():
    response = client.chat.completions.with_raw_response.create(model=MODEL, messages=HI)
    assert response.headers["x-attache-provider"] == PROVIDER and response.headers["x-attache-attempts"] == "1", response.headers
    assert response.headers["x-attache-request-id"], response.headers
    got = sent_headers()
    assert f"sk-of-{PROVIDER}" in (got.get("authorization", "") + got.get("x-api-key", "")), got
    assert not any(client.api_key in value for value in got.values()), got


@check
def stream():
    chunks = list(create(model=MODEL, messages=HI, stream=True))
    assert all(len(c.choices) == 1 and c.usage is None and c.object == "chat.completion.chunk" for c in chunks), chunks
    assert chunks[0].choices[0].delta.role == "assistant", chunks[0]
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == TEXT, chunks
    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["stop"], chunks
    assert len({c.id for c in chunks}) == 1, chunks


@check
def stream_usage():
    chunks = list(create(model=MODEL, messages=HI, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == [] and all(c.usage is None for c in chunks[:-1]), chunks
    assert chunks[-1].usage == create(model=MODEL, messages=HI).usage, chunks[-1]


@check
def stream_without_usage():
    chunks = list(create(model=MODEL, messages=HI, stream=True, stream_options={"include_usage": False}))
    assert all(c.choices and c.usage is None for c in chunks), chunks


@check
def stream_helper():
    with client.chat.completions.stream(model=MODEL, messages=HI) as events:
        seen = list(events)
        final = events.get_final_completion()
    assert "".join(e.delta for e in seen if e.type == "content.delta") == TEXT, seen
    assert [e.content for e in seen if e.type == "content.done"] == [TEXT], seen
    assert final.choices[0].message.content == TEXT and final.choices[0].finish_reason == "stop", final


@check
def long_stream_in_pieces():
    chunks = create(model=model(events=500, chunks="random:7"), messages=HI, stream=True)
    words = "".join(c.choices[0].delta.content or "" for c in chunks).split()
    assert len(words) == 500 and words[:3] == TEXT.split(), words[:9]


@check
def instructions():
    for role in "system", "developer":
        create(model=MODEL, messages=[{"role": role, "content": "Be brief."}, *HI])
        body = sent()
        if PROVIDER == "anthropic":
            assert "Be brief." in str(body["system"]) and [m["role"] for m in body["messages"]] == ["user"], body
        else:
            assert body["messages"] == [{"role": "system", "content": "Be brief."}, *HI], body


@check
def limits():
    create(model=MODEL, messages=HI, max_completion_tokens=17, stop=["END", "STOP"], temperature=0.5)
    body = sent()
    assert body["temperature"] == 0.5, body
    assert 17 in (body.get("max_tokens"), body.get("max_completion_tokens")), body
    assert ["END", "STOP"] in (body.get("stop"), body.get("stop_sequences")), body


@only("anthropic")
def output_limit_by_default():
    create(model=MODEL, messages=HI)
    assert sent()["max_tokens"] > 1000, sent()


@check
def images():
    answer = create(model=MODEL, messages=[{"role": "user", "content": [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PIXEL}},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "auto"}},
    ]}])
    assert answer.choices[0].message.content == TEXT + " I see 2 images.", answer
    if PROVIDER == "anthropic":
        assert [part.get("source") for part in sent()["messages"][0]["content"]] == [
            None, {"type": "base64", "media_type": "image/png", "data": PIXEL}, {"type": "url", "url": "https://example.com/cat.png"},
        ], sent()


@check
def parsed_format():
    name = model(text='{"city":"Paris"}')
    answer = client.chat.completions.parse(model=name, messages=HI, response_format=Place)
    assert answer.choices[0].message.parsed == Place(city="Paris"), answer
    assert '"city"' in str(sent()).replace("'", '"'), sent()
    with client.chat.completions.stream(model=name, messages=HI, response_format=Place) as events:
        final = events.get_final_completion()
    assert final.choices[0].message.parsed == Place(city="Paris"), final


@check
def json_format():
    create(model=MODEL, messages=HI, response_format={"type": "json_object"})
    assert "json_object" in str(sent()) or "one JSON object" in str(sent()["system"]), sent()


@only("anthropic")
def warnings():
    response = client.chat.completions.with_raw_response.create(model=MODEL, messages=HI, seed=7, logit_bias={"50256": -100})
    for name in "seed", "logit_bias":
        assert name in response.headers["x-attache-warnings"], response.headers


@only("anthropic")
def refusals():
    for name, value in {"n": 2, "functions": [{"name": "f", "parameters": {}}], "web_search_options": {}}.items():
        error = raises(openai.BadRequestError, create, model=MODEL, messages=HI, **{name: value})
        assert error.code == "unsupported_feature" and error.param == name, error.body


@check
def effort():
    answer = create(model=MODEL, messages=HI, reasoning_effort="high")
    assert answer.choices[0].message.content == TEXT, answer


@check
def fallback():
    other = {"openai": "spare-anthropic/claude-sonnet-4-5", "anthropic": "spare-openai/gpt-4o"}[PROVIDER]
    for stream in False, True:
        response = client.chat.completions.with_raw_response.create(model=f"{other}@fault=503,{MODEL}", messages=HI, stream=stream)
        assert response.headers["x-attache-attempts"] == "2", response.headers
        answer = response.parse()
        text = "".join(c.choices[0].delta.content or "" for c in answer) if stream else answer.choices[0].message.content
        assert text == TEXT, text


main()
