"""Boto3 and Bedrock's Converse API."""

import base64
import json

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import EventStreamError
from cells import KEY, PIXEL, RESULT, SCHEMA, THOUGHT, URL, fails, main


def client_with(key):
    """A client with a key. The SDK sends what is in AWS_BEARER_TOKEN_BEDROCK over TLS only, which tests do without."""
    made = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=URL,
                        config=Config(signature_version=UNSIGNED, retries={"max_attempts": 0}, read_timeout=30))
    made.meta.events.register("request-created.bedrock-runtime", lambda request, **_: request.headers.add_header("Authorization", "Bearer " + key))
    return made


client = client_with(KEY)
TOOLS = {"tools": [{"toolSpec": {"name": name, "description": "Tells the " + name + ".", "inputSchema": {"json": SCHEMA}}} for name in ("weather", "time")]}
FORMAT = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"name": "place", "schema": json.dumps(SCHEMA)}}}}


def ask(model, text, *more, **others):
    return {"modelId": model, "messages": [{"role": "user", "content": [{"text": text}, *more]}], **others}


def joined(answer):
    """The message of a stream as a client adds it up, and why and with what counts it ended."""
    blocks, reason, usage = {}, None, None
    for event in answer["stream"]:
        [(kind, e)] = event.items()
        assert usage is None, f"{kind} behind the end"
        if kind == "contentBlockStart":
            blocks[e["contentBlockIndex"]] = {**e["start"]["toolUse"], "input": ""}
        elif kind == "contentBlockDelta" and "toolUse" in e["delta"]:
            blocks[e["contentBlockIndex"]]["input"] += e["delta"]["toolUse"]["input"]
        elif kind == "contentBlockDelta":
            blocks[e["contentBlockIndex"]] = blocks.get(e["contentBlockIndex"], "") + e["delta"]["text"]
        elif kind == "messageStop":
            reason = e["stopReason"]
        elif kind == "metadata":
            usage = e["usage"]
    assert sorted(blocks) == list(range(len(blocks))), blocks
    return [blocks[i] for i in sorted(blocks)], reason, usage


def chat(cell):
    for model in cell.model, cell.direct:
        answer = client.converse(**ask(model, cell.hi), system=[{"text": "Be brief."}], inferenceConfig={"maxTokens": 50})
        assert answer["output"]["message"] == {"role": "assistant", "content": [{"text": cell.text}]}, answer
        assert answer["stopReason"] == "end_turn" and answer["usage"]["inputTokens"] > 0 and answer["usage"]["outputTokens"] == 3, answer


def stream(cell):
    blocks, reason, usage = joined(client.converse_stream(**ask(cell.model, cell.hi)))
    assert blocks == [cell.text] and reason == "end_turn" and usage["outputTokens"] == 3, (blocks, reason, usage)


def answer_call(cell, content, reason):
    [call] = [block["toolUse"] for block in content]
    assert call["name"] == "weather" and call["input"] == {"city": "Paris"} and reason == "tool_use", (content, reason)
    turns = ask(cell.model, cell.ask, toolConfig=TOOLS)
    result = {"toolUseId": call["toolUseId"], "content": [{"text": RESULT}], "status": "success"}
    turns["messages"] += [{"role": "assistant", "content": content}, {"role": "user", "content": [{"toolResult": result}]}]
    assert client.converse(**turns)["output"]["message"]["content"] == [{"text": cell.text}]


def tools(cell):
    answer = client.converse(**ask(cell.model, cell.ask), toolConfig=TOOLS)
    answer_call(cell, answer["output"]["message"]["content"], answer["stopReason"])


def streamed_tools(cell):
    [call], reason, _ = joined(client.converse_stream(**ask(cell.model, cell.ask), toolConfig=TOOLS))
    call["input"] = json.loads(call["input"])
    answer_call(cell, [{"toolUse": call}], reason)


def thoughts(cell):
    think = {"toolConfig": TOOLS, "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}}}
    asked = ask(cell.model, cell.ask, **think)
    content = client.converse(**asked)["output"]["message"]["content"]
    *thoughts, call = content  # a provider that signs its calls has their signatures in a thought without text
    thoughts = [block["reasoningContent"]["reasoningText"] for block in thoughts]
    signature = "".join(thought["signature"] for thought in thoughts)
    assert "".join(thought["text"] for thought in thoughts) == THOUGHT and signature, content
    deltas = [e["contentBlockDelta"]["delta"] for e in client.converse_stream(**asked)["stream"] if "contentBlockDelta" in e]
    parts = [delta["reasoningContent"] for delta in deltas if "reasoningContent" in delta]
    assert "".join(p.get("text", "") for p in parts) == THOUGHT and "".join(p.get("signature", "") for p in parts) == signature, parts
    result = {"toolUseId": call["toolUse"]["toolUseId"], "content": [{"text": RESULT}], "status": "success"}
    asked["messages"] += [{"role": "assistant", "content": content}, {"role": "user", "content": [{"toolResult": result}]}]
    assert client.converse(**asked)["output"]["message"]["content"][-1] == {"text": cell.text}


def structured(cell):
    answer = client.converse(**ask(cell.model, cell.hi), outputConfig=FORMAT)
    assert json.loads(answer["output"]["message"]["content"][0]["text"]) == {"city": "Paris"}, answer


def images(cell):
    image = {"image": {"format": "png", "source": {"bytes": base64.b64decode(PIXEL)}}}
    content = client.converse(**ask(cell.model, cell.hi, image))["output"]["message"]["content"]
    assert content == [{"text": cell.text + " I see 1 images."}], content


def raises(name, call, **kwargs):
    """The error that a call raises, which must be of the type that the SDK has for it."""
    try:
        call(**kwargs)
    except client.exceptions.ClientError as e:
        assert e.response["Error"]["Code"] == name and type(e) is getattr(client.exceptions, name), e.response
        return e.response
    raise AssertionError(f"no {name}")


def errors(cell):
    raises("AccessDeniedException", client_with("wrong").converse, **ask(cell.model, cell.hi))
    missing = raises("ResourceNotFoundException", client.converse, **ask("nobody", cell.hi))
    assert missing["ResponseMetadata"]["HTTPStatusCode"] == 404 and missing["Error"]["Message"], missing
    config = {"tools": [TOOLS["tools"][0], {"toolSpec": {"name": "time", "inputSchema": {"json": "no object"}}}]}
    bad = raises("ValidationException", client.converse, **ask(cell.model, cell.hi), toolConfig=config)
    assert "toolConfig.tools[1].toolSpec.inputSchema.json" in bad["Error"]["Message"], bad
    for call in client.converse, client.converse_stream:
        busy = raises("ThrottlingException", call, **ask(cell.busy, cell.hi))
        assert busy["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "7", busy


def broken_stream(cell):
    stream = client.converse_stream(**ask(cell.broken, cell.hi))["stream"]
    fails(EventStreamError, (e.get("contentBlockDelta", {}).get("delta", {}).get("text") for e in stream))


def count(cell):
    def n(text):
        return client.count_tokens(modelId=cell.model, input={"converse": {"messages": [{"role": "user", "content": [{"text": text}]}]}})["inputTokens"]

    assert 0 < n("Hi") < n("Hi " * 100) < 1000


main(globals())
