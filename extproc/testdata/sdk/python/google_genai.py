"""The google-genai package and the Gemini API."""

import base64
import json

import pydantic
from cells import KEY, PIXEL, RESULT, SCHEMA, THOUGHT, URL, fails, main, raises
from google import genai
from google.genai import errors as failures
from google.genai import types


def client_with(key):
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=URL, timeout=30_000))


client = client_with(KEY)
generate = client.models.generate_content
TOOL = types.Tool(function_declarations=[
    types.FunctionDeclaration(name=name, description="Tells the " + name + ".", parameters_json_schema=SCHEMA) for name in ("weather", "time")])
WITH_TOOLS = types.GenerateContentConfig(tools=[TOOL], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True))


class Place(pydantic.BaseModel):
    city: str


def known(answer):
    """An answer all of whose members the SDK knows, and whose enums have values that it knows."""
    for candidate in answer.candidates:
        assert candidate.finish_reason is None or candidate.finish_reason.name == "STOP", candidate
        for part in candidate.content.parts:
            assert part.text or part.function_call or part.thought_signature, part
    return answer


def chat(cell):
    config = types.GenerateContentConfig(system_instruction="Be brief.", max_output_tokens=50)
    for model in cell.model, cell.direct:
        answer = known(generate(model=model, contents=cell.hi, config=config))
        assert answer.text == cell.text and answer.candidates[0].finish_reason == types.FinishReason.STOP, answer
        usage = answer.usage_metadata
        assert usage.prompt_token_count > 0 and usage.candidates_token_count == 3, usage
        assert usage.total_token_count == usage.prompt_token_count + 3 and answer.model_version and answer.response_id, answer


def stream(cell):
    chunks = [known(c) for c in client.models.generate_content_stream(model=cell.model, contents=cell.hi)]
    assert "".join(c.text or "" for c in chunks) == cell.text and len(chunks) > 1, chunks
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP, chunks[-1]
    assert chunks[-1].usage_metadata.candidates_token_count == 3, chunks[-1]
    talk = client.chats.create(model=cell.model)
    assert "".join(c.text or "" for c in talk.send_message_stream(cell.hi)) == cell.text
    assert talk.send_message(cell.hi).text == cell.text  # with all chunks of the first answer as turns of their own


def weather(city: str) -> str:
    """Tells the weather."""
    assert city == "Paris", city
    return RESULT


def asked(cell):
    return types.Content(role="user", parts=[types.Part(text=cell.ask)])


def answer_call(cell, turn):
    [call] = turn.function_calls
    assert call.name == "weather" and call.args == {"city": "Paris"}, turn
    result = types.FunctionResponse(id=call.id, name=call.name, response={"result": RESULT})
    contents = [asked(cell), turn.candidates[0].content, types.Content(role="user", parts=[types.Part(function_response=result)])]
    assert generate(model=cell.model, contents=contents, config=WITH_TOOLS).text == cell.text


def tools(cell):
    answer_call(cell, known(generate(model=cell.model, contents=asked(cell), config=WITH_TOOLS)))
    # The SDK's own loop, which calls the function itself.
    answer = generate(model=cell.model, contents=cell.ask, config=types.GenerateContentConfig(tools=[weather]))
    assert answer.text == cell.text and len(answer.automatic_function_calling_history) == 3, answer


def streamed_tools(cell):
    chunks = [known(c) for c in client.models.generate_content_stream(model=cell.model, contents=asked(cell), config=WITH_TOOLS)]
    [turn] = [c for c in chunks if c.function_calls]
    answer_call(cell, turn)


def thoughts(cell):
    config = WITH_TOOLS.model_copy(update={"thinking_config": types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)})
    streamed = []
    for chunk in client.models.generate_content_stream(model=cell.model, contents=asked(cell), config=config):
        streamed += known(chunk).candidates[0].content.parts or []
    for parts in known(generate(model=cell.model, contents=asked(cell), config=config)).candidates[0].content.parts, streamed:
        assert "".join(p.text for p in parts if p.thought) == THOUGHT and any(p.thought_signature for p in parts), parts
        [call] = [p.function_call for p in parts if p.function_call]
        result = types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": RESULT}))
        contents = [asked(cell), types.Content(role="model", parts=parts), types.Content(role="user", parts=[result])]
        assert generate(model=cell.model, contents=contents, config=config).text == cell.text


def structured(cell):
    for schema in {"response_schema": Place}, {"response_json_schema": SCHEMA}:
        config = types.GenerateContentConfig(response_mime_type="application/json", **schema)
        answer = generate(model=cell.model, contents=cell.hi, config=config)
        assert json.loads(answer.text) == {"city": "Paris"} and answer.parsed in (Place(city="Paris"), {"city": "Paris"}), answer


def images(cell):
    picture = types.Part.from_bytes(data=base64.b64decode(PIXEL), mime_type="image/png")
    assert generate(model=cell.model, contents=[cell.hi, picture]).text == cell.text + " I see 1 images."


def errors(cell):
    stranger = client_with("wrong")
    error = raises(failures.ClientError, stranger.models.generate_content, model=cell.model, contents=cell.hi)
    assert (error.code, error.status) == (401, "UNAUTHENTICATED"), error
    error = raises(failures.ClientError, generate, model="nobody", contents=cell.hi)
    assert (error.code, error.status) == (404, "NOT_FOUND") and error.message, error
    hot = types.GenerateContentConfig(http_options=types.HttpOptions(extra_body={"generationConfig": {"temperature": "hot"}}))
    error = raises(failures.ClientError, generate, model=cell.model, contents=cell.hi, config=hot)
    assert (error.code, error.status) == (400, "INVALID_ARGUMENT") and "generationConfig.temperature" in error.message, error
    for call in generate, lambda **ask: list(client.models.generate_content_stream(**ask)):
        error = raises(failures.ClientError, call, model=cell.busy, contents=cell.hi)
        assert (error.code, error.status) == (429, "RESOURCE_EXHAUSTED"), error
        [info] = [d for d in error.details["error"]["details"] if d["@type"].endswith("RetryInfo")]
        assert info["retryDelay"] == "7s", error.details


def broken_stream(cell):
    fails(failures.ServerError, (c.text for c in client.models.generate_content_stream(model=cell.broken, contents=cell.hi)))


def count(cell):
    def n(text):
        return client.models.count_tokens(model=cell.model, contents=text).total_tokens

    assert 0 < n("Hi") < n("Hi " * 100) < 1000


main(globals())
