"""The openai package and Chat Completions."""

import json

import openai
import pydantic
from cells import KEY, PIXEL, RESULT, SCHEMA, URL, fails, main, raises


def client_with(key):
    return openai.OpenAI(base_url=URL + "/v1", api_key=key, max_retries=0, timeout=30, _strict_response_validation=True)


client = client_with(KEY)
create = client.chat.completions.create


class Place(pydantic.BaseModel):
    city: str


def said(text):
    return [{"role": "user", "content": text}]


TOOLS = [{"type": "function", "function": {"name": name, "description": "Tells the " + name + ".", "strict": True, "parameters": SCHEMA}}
         for name in ("weather", "time")]


def chat(cell):
    for model in cell.model, cell.direct:
        answer = create(model=model, messages=[{"role": "developer", "content": "Be brief."}, *said(cell.hi)], max_completion_tokens=50)
        choice = answer.choices[0]
        assert choice.message.content == cell.text and choice.finish_reason == "stop" and not choice.message.tool_calls, answer
        assert answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens == 3, answer.usage


def stream(cell):
    chunks = list(create(model=cell.model, messages=said(cell.hi), stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks[:-1]) == cell.text, chunks
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 3 and len({c.id for c in chunks}) == 1, chunks
    with client.chat.completions.stream(model=cell.model, messages=said(cell.hi)) as events:
        final = events.get_final_completion().choices[0]
    assert final.message.content == cell.text and final.finish_reason == "stop", final


def answer_call(cell, choice):
    [call] = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls" and call.id and call.function.name == "weather", choice
    assert json.loads(call.function.arguments) == {"city": "Paris"}, call
    result = {"role": "tool", "tool_call_id": call.id, "content": RESULT}
    back = create(model=cell.model, messages=[*said(cell.ask), choice.message, result], tools=TOOLS)
    assert back.choices[0].message.content == cell.text, back


def tools(cell):
    answer_call(cell, create(model=cell.model, messages=said(cell.ask), tools=TOOLS).choices[0])


def streamed_tools(cell):
    with client.chat.completions.stream(model=cell.model, messages=said(cell.ask), tools=TOOLS) as events:
        answer_call(cell, events.get_final_completion().choices[0])


def structured(cell):
    answer = client.chat.completions.parse(model=cell.model, messages=said(cell.hi), response_format=Place)
    assert answer.choices[0].message.parsed == Place(city="Paris"), answer
    with client.chat.completions.stream(model=cell.model, messages=said(cell.hi), response_format=Place) as events:
        assert events.get_final_completion().choices[0].message.parsed == Place(city="Paris")


def images(cell):
    content = [{"type": "text", "text": cell.hi}, {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PIXEL}}]
    answer = create(model=cell.model, messages=said(content))
    assert answer.choices[0].message.content == cell.text + " I see 1 images.", answer


def errors(cell):
    hi = said(cell.hi)
    error = raises(openai.AuthenticationError, client_with("sk-foreign").chat.completions.create, model=cell.model, messages=hi)
    assert error.code == "invalid_key", error.body
    error = raises(openai.NotFoundError, create, model="nobody", messages=hi)
    assert error.code == "model_not_found", error.body
    error = raises(openai.BadRequestError, create, model=cell.model, messages=hi, temperature="hot")
    assert error.param == "temperature", error.body
    for streamed in False, True:
        error = raises(openai.RateLimitError, create, model=cell.busy, messages=hi, stream=streamed)
        assert error.response.headers["retry-after"] == "7" and error.code, (error.response.headers, error.body)


def broken_stream(cell):
    chunks = create(model=cell.broken, messages=said(cell.hi), stream=True)
    fails(openai.APIError, (c.choices[0].delta.content for c in chunks))


main(globals())
