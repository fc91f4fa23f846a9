"""The anthropic package and the Messages API."""

import anthropic
import pydantic
from cells import KEY, PIXEL, RESULT, SCHEMA, THOUGHT, URL, fails, main, raises


def client_with(key):
    return anthropic.Anthropic(base_url=URL, api_key=key, max_retries=0, timeout=30, _strict_response_validation=True)


client = client_with(KEY)
TOOLS = [{"name": name, "description": "Tells the " + name + ".", "input_schema": SCHEMA} for name in ("weather", "time")]


class Place(pydantic.BaseModel):
    city: str


def ask(model, content, **more):
    return {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": content}], **more}


def create(*args, **more):
    return client.messages.create(**ask(*args, **more))


def chat(cell):
    for model in cell.model, cell.direct:
        answer = create(model, cell.hi, system="Be brief.")
        assert [block.text for block in answer.content] == [cell.text] and answer.stop_reason == "end_turn", answer
        assert answer.usage.input_tokens > 0 and answer.usage.output_tokens == 3, answer.usage


def stream(cell):
    kinds = [e.type for e in create(cell.model, cell.hi, stream=True) if e.type != "ping"]
    assert kinds[:2] == ["message_start", "content_block_start"] and kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"], kinds
    with client.messages.stream(**ask(cell.model, cell.hi)) as s:
        assert "".join(s.text_stream) == cell.text
        final = s.get_final_message()
    assert final.stop_reason == "end_turn" and final.usage.output_tokens == 3 and final.usage.input_tokens > 0, final


def answer_call(cell, message):
    [use] = message.content
    assert (use.type, use.name, use.input) == ("tool_use", "weather", {"city": "Paris"}) and message.stop_reason == "tool_use", message
    turns = ask(cell.model, cell.ask, tools=TOOLS)
    turns["messages"] += [{"role": "assistant", "content": message.content},
                          {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": RESULT}]}]
    assert client.messages.create(**turns).content[0].text == cell.text


def tools(cell):
    answer_call(cell, create(cell.model, cell.ask, tools=TOOLS))


def streamed_tools(cell):
    with client.messages.stream(**ask(cell.model, cell.ask, tools=TOOLS)) as s:
        answer_call(cell, s.get_final_message())


def thoughts(cell):
    think = ask(cell.model, cell.ask, tools=TOOLS, thinking={"type": "enabled", "budget_tokens": 1024})
    think["max_tokens"] = 4096
    with client.messages.stream(**think) as s:
        streamed = s.get_final_message()
    for message in client.messages.create(**think), streamed:
        *thinking, use = message.content  # a provider that signs its calls has their signatures in a thought without text
        assert {block.type for block in thinking} == {"thinking"} and use.type == "tool_use", message
        assert "".join(block.thinking for block in thinking) == THOUGHT and all(block.signature for block in thinking), message
        result = {"type": "tool_result", "tool_use_id": use.id, "content": RESULT}
        turns = [*think["messages"], {"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}]
        assert client.messages.create(**{**think, "messages": turns}).content[-1].text == cell.text


def structured(cell):
    assert client.messages.parse(**ask(cell.model, cell.hi), output_format=Place).parsed_output == Place(city="Paris")
    with client.messages.stream(**ask(cell.model, cell.hi), output_format=Place) as s:
        assert s.get_final_message().parsed_output == Place(city="Paris")


def images(cell):
    answer = create(cell.model, [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}, {"type": "text", "text": cell.hi}])
    assert answer.content[0].text == cell.text + " I see 1 images.", answer


def errors(cell):
    error = raises(anthropic.AuthenticationError, client_with("sk-foreign").messages.create, **ask(cell.model, cell.hi))
    assert error.body["error"]["type"] == "authentication_error", error.body
    assert raises(anthropic.NotFoundError, create, "nobody", cell.hi).body["error"]["type"] == "not_found_error"
    error = raises(anthropic.BadRequestError, create, cell.model, cell.hi, extra_body={"temperature": "hot"})
    assert error.body["error"]["type"] == "invalid_request_error" and "temperature: " in error.message, error.body
    for streamed in False, True:
        error = raises(anthropic.RateLimitError, create, cell.busy, cell.hi, stream=streamed)
        assert error.response.headers["retry-after"] == "7" and error.body["error"]["type"] == "rate_limit_error", error.body


def broken_stream(cell):
    with client.messages.stream(**ask(cell.broken, cell.hi)) as s:
        fails(anthropic.APIStatusError, s.text_stream)


def count(cell):
    def n(text):
        return client.messages.count_tokens(model=cell.model, messages=[{"role": "user", "content": text}]).input_tokens

    assert 0 < n("Hi") < n("Hi " * 100) < 1000


main(globals())
