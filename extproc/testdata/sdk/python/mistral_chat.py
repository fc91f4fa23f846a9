"""The mistralai package. Its Chat Completions are near enough to OpenAI's, and the gateway's answers are OpenAI's."""

import json

import pydantic
from cells import KEY, PIXEL, RESULT, SCHEMA, URL, fails, main, raises
from mistralai.client import Mistral
from mistralai.client.errors import ResponseValidationError, SDKError


def client_with(key):
    return Mistral(api_key=key, server_url=URL, timeout_ms=30_000)


client = client_with(KEY)
create = client.chat.complete
TOOLS = [{"type": "function", "function": {"name": name, "description": "Tells the " + name + ".", "parameters": SCHEMA}} for name in ("weather", "time")]


class Place(pydantic.BaseModel):
    city: str


def said(content):
    return [{"role": "user", "content": content}]


def chat(cell):
    for model in cell.model, cell.direct:
        answer = create(model=model, messages=[{"role": "system", "content": "Be brief."}, *said(cell.hi)], max_tokens=50)
        choice = answer.choices[0]
        assert choice.message.content == cell.text and choice.finish_reason == "stop" and not choice.message.tool_calls, answer
        assert answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens == 3, answer.usage


def stream(cell):
    with client.chat.stream(model=cell.model, messages=said(cell.hi)) as events:
        chunks = [e.data for e in events]
    choices = [c.choices[0] for c in chunks if c.choices]
    assert "".join(c.delta.content or "" for c in choices) == cell.text and choices[-1].finish_reason == "stop", chunks


def tools(cell):
    choice = create(model=cell.model, messages=said(cell.ask), tools=TOOLS).choices[0]
    [call] = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls" and call.id and call.function.name == "weather", choice
    assert json.loads(call.function.arguments) == {"city": "Paris"}, call
    result = {"role": "tool", "name": "weather", "tool_call_id": call.id, "content": RESULT}
    back = create(model=cell.model, messages=[*said(cell.ask), choice.message, result], tools=TOOLS)
    assert back.choices[0].message.content == cell.text, back


def structured(cell):
    answer = client.chat.parse(model=cell.model, messages=said(cell.hi), response_format=Place)
    assert answer.choices[0].message.parsed == Place(city="Paris"), answer


def images(cell):
    content = [{"type": "text", "text": cell.hi}, {"type": "image_url", "image_url": "data:image/png;base64," + PIXEL}]
    answer = create(model=cell.model, messages=said(content))
    assert answer.choices[0].message.content == cell.text + " I see 1 images.", answer


def errors(cell):
    hi = said(cell.hi)
    error = raises(SDKError, client_with("wrong").chat.complete, model=cell.model, messages=hi)
    assert error.status_code == 401 and "invalid_key" in error.body, error
    error = raises(SDKError, create, model="nobody", messages=hi)
    assert error.status_code == 404 and "model_not_found" in error.body, error
    error = raises(SDKError, create, model="", messages=hi)  # of other mistakes the package is the first to complain
    assert error.status_code == 400 and json.loads(error.body)["error"]["param"] == "model", error
    error = raises(SDKError, create, model=cell.busy, messages=hi)
    assert error.status_code == 429 and error.headers["retry-after"] == "7", error


def broken_stream(cell):
    with client.chat.stream(model=cell.broken, messages=said(cell.hi)) as events:
        fails(ResponseValidationError, (e.data.choices[0].delta.content for e in events))  # it knows no errors in streams


main(globals())
