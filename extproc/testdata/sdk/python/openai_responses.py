"""The openai package and the Responses API."""

import json

import openai
import pydantic
from cells import KEY, PIXEL, RESULT, SCHEMA, THOUGHT, URL, main, raises


def client_with(key):
    return openai.OpenAI(base_url=URL + "/v1", api_key=key, max_retries=0, timeout=30, _strict_response_validation=True)


client = client_with(KEY)
create = client.responses.create
TOOLS = [{"type": "function", "name": name, "description": "Tells the " + name + ".", "strict": True, "parameters": SCHEMA} for name in ("weather", "time")]


class Place(pydantic.BaseModel):
    city: str


def said(content):
    return [{"role": "user", "content": content}]


def chat(cell):
    for model in cell.model, cell.direct:
        answer = create(model=model, input=cell.hi, instructions="Be brief.", max_output_tokens=50, store=False)
        assert answer.status == "completed" and answer.output_text == cell.text and answer.error is None, answer
        assert answer.usage.input_tokens > 0 and answer.usage.output_tokens == 3, answer.usage


def stream(cell):
    events = list(create(model=cell.model, input=cell.hi, stream=True, store=False))
    assert [e.sequence_number for e in events] == list(range(len(events))), events
    assert events[0].type == "response.created" and events[-1].type == "response.completed", events
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == cell.text, events
    assert events[-1].response.output_text == cell.text and events[-1].response.usage.output_tokens == 3, events[-1]
    with client.responses.stream(model=cell.model, input=cell.hi, store=False) as s:
        kinds = [e.type for e in s]
        assert s.get_final_response().output_text == cell.text
    for kind in "output_item.added", "content_part.added", "output_text.done", "content_part.done", "output_item.done":
        assert kinds.count("response." + kind) == 1, kinds


def answer_call(cell, response):
    [call] = [item for item in response.output if item.type == "function_call"]
    assert call.name == "weather" and json.loads(call.arguments) == {"city": "Paris"} and call.call_id, call
    result = {"type": "function_call_output", "call_id": call.call_id, "output": RESULT}
    back = create(model=cell.model, input=[*said(cell.ask), *response.output, result], tools=TOOLS, store=False)
    assert back.output_text == cell.text, back


def tools(cell):
    answer_call(cell, create(model=cell.model, input=said(cell.ask), tools=TOOLS, store=False))


def streamed_tools(cell):
    with client.responses.stream(model=cell.model, input=said(cell.ask), tools=TOOLS, store=False) as s:
        done = [e for e in s if e.type == "response.function_call_arguments.done"]
        answer_call(cell, s.get_final_response())
    assert [json.loads(e.arguments) for e in done] == [{"city": "Paris"}], done


def thoughts(cell):
    think = {"model": cell.model, "tools": TOOLS, "store": False, "reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    with client.responses.stream(input=said(cell.ask), **think) as s:
        assert "".join(e.delta for e in s if e.type == "response.reasoning_summary_text.delta") == THOUGHT
        streamed = s.get_final_response()
    for response in create(input=said(cell.ask), **think), streamed:
        *reasoning, call = response.output  # a provider that signs its calls has their signatures in a thought without text
        assert {item.type for item in reasoning} == {"reasoning"} and call.type == "function_call", response
        assert [s.text for item in reasoning for s in item.summary] == [THOUGHT] and reasoning[-1].encrypted_content, response
        result = {"type": "function_call_output", "call_id": call.call_id, "output": RESULT}
        assert create(input=[*said(cell.ask), *response.output, result], **think).output_text == cell.text


def structured(cell):
    answer = client.responses.parse(model=cell.model, input=cell.hi, text_format=Place, store=False)
    assert answer.output_parsed == Place(city="Paris"), answer
    with client.responses.stream(model=cell.model, input=cell.hi, text_format=Place, store=False) as s:
        assert s.get_final_response().output_parsed == Place(city="Paris")


def images(cell):
    content = [{"type": "input_text", "text": cell.hi}, {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64," + PIXEL}]
    assert create(model=cell.model, input=said(content), store=False).output_text == cell.text + " I see 1 images."


def errors(cell):
    error = raises(openai.AuthenticationError, client_with("sk-foreign").responses.create, model=cell.model, input=cell.hi)
    assert error.code == "invalid_key", error.body
    error = raises(openai.NotFoundError, create, model="nobody", input=cell.hi, store=False)
    assert error.code == "model_not_found", error.body
    error = raises(openai.BadRequestError, create, model=cell.model, input=cell.hi, temperature="hot", store=False)
    assert error.param == "temperature", error.body
    for streamed in False, True:
        error = raises(openai.RateLimitError, create, model=cell.busy, input=cell.hi, stream=streamed, store=False)
        assert error.response.headers["retry-after"] == "7" and error.code, (error.response.headers, error.body)


def broken_stream(cell):
    *before, last = create(model=cell.broken, input=cell.hi, stream=True, store=False)
    assert any(e.type == "response.output_text.delta" for e in before), before
    assert last.type == "error" and last.message or last.type == "response.failed" and last.response.error.message, last


def count(cell):
    def n(text):
        return client.responses.input_tokens.count(model=cell.model, input=text).input_tokens

    assert 0 < n("Hi") < n("Hi " * 100) < 1000


main(globals())
