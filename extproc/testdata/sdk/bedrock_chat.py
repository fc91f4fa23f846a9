"""Amazon's SDK and its Converse API: answers, streams, tools, thinking and errors."""

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from checks import KEY, MODEL, PROVIDER, TEXT, URL, check, main, model, sent


def client_with(key):
    """A client with a key. The SDK sends what is in AWS_BEARER_TOKEN_BEDROCK over TLS only, which tests do without."""
    made = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=URL,
                        config=Config(signature_version=UNSIGNED, retries={"max_attempts": 0}, read_timeout=30))
    made.meta.events.register("request-created.bedrock-runtime", lambda request, **_: request.headers.add_header("Authorization", "Bearer " + key))
    return made


client = client_with(KEY)


def said(text):
    return {"role": "user", "content": [{"text": text}]}


HI = [said("Hi")]
ASK = [said("Please use tool.")]
TOOLS = {"tools": [{"toolSpec": {"name": name, "description": "Tells the " + name + ".", "inputSchema": {"json": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}} for name in ("weather", "time")]}


def joined(stream):
    """The message of a stream as a client adds it up, and why and with what counts it ended."""
    blocks, reason, usage, index = [], None, None, None
    for event in stream:
        [(kind, e)] = event.items()
        assert usage is None, f"{kind} behind the end"
        if kind == "contentBlockStart":
            assert index is None and e["contentBlockIndex"] == len(blocks), event
            index = e["contentBlockIndex"]
            blocks.append({"toolUse": {**e["start"]["toolUse"], "input": ""}})
        elif kind == "contentBlockDelta":
            if index is None:
                index = e["contentBlockIndex"]
                assert index == len(blocks), event
                blocks.append({"text": ""})
            assert e["contentBlockIndex"] == index, event
            if "toolUse" in e["delta"]:
                blocks[index]["toolUse"]["input"] += e["delta"]["toolUse"]["input"]
            elif "text" in e["delta"]:
                blocks[index]["text"] += e["delta"]["text"]
        elif kind == "contentBlockStop":
            assert e["contentBlockIndex"] == index, event
            index = None
        elif kind == "messageStop":
            assert index is None, event
            reason = e["stopReason"]
        elif kind == "metadata":
            usage = e["usage"]
    return blocks, reason, usage


@check
def unary():
    answer = client.converse(modelId=MODEL, messages=HI, system=[{"text": "Be brief."}],
                             inferenceConfig={"maxTokens": 50, "temperature": 0.5, "stopSequences": ["END"]})
    assert answer["output"]["message"] == {"role": "assistant", "content": [{"text": TEXT}]}, answer
    assert answer["stopReason"] == "end_turn" and answer["usage"]["inputTokens"] > 0 and answer["usage"]["outputTokens"] > 0, answer
    body = sent()
    assert body.get("max_tokens", body.get("max_completion_tokens")) == 50 and body["temperature"] == 0.5, body
    assert "Be brief." in str(body) and body.get("stop_sequences", body.get("stop")) == ["END"], body


@check
def streamed():
    answer = client.converse_stream(modelId=MODEL, messages=HI)
    blocks, reason, usage = joined(answer["stream"])
    assert blocks == [{"text": TEXT}] and reason == "end_turn", blocks
    assert usage["inputTokens"] > 0 and usage["outputTokens"] > 0 and usage["totalTokens"] >= usage["inputTokens"], usage


@check
def tools():
    answer = client.converse(modelId=MODEL, messages=ASK, toolConfig=TOOLS)
    message = answer["output"]["message"]
    [call] = [b["toolUse"] for b in message["content"]]
    assert call["name"] == "weather" and call["input"] == {"city": "Paris"} and answer["stopReason"] == "tool_use", answer
    result = {"toolUseId": call["toolUseId"], "content": [{"json": {"degrees": 20}}], "status": "success"}
    back = client.converse(modelId=MODEL, messages=[*ASK, message, {"role": "user", "content": [{"toolResult": result}]}], toolConfig=TOOLS)
    assert back["output"]["message"]["content"] == [{"text": TEXT}], back
    assert call["toolUseId"] in str(sent()["messages"][2]) and "20" in str(sent()["messages"][2]), sent()


@check
def tools_streamed():
    blocks, reason, _ = joined(client.converse_stream(modelId=MODEL, messages=ASK, toolConfig=TOOLS)["stream"])
    [call] = [b["toolUse"] for b in blocks]
    assert call["name"] == "weather" and call["toolUseId"] and call["input"].replace(" ", "") == '{"city":"Paris"}', call
    assert reason == "tool_use", reason


@check
def parallel():
    content = client.converse(modelId=model(replay="parallel"), messages=ASK, toolConfig=TOOLS)["output"]["message"]["content"]
    assert content[0] == {"text": "Let me see."}, content
    assert [(b["toolUse"]["name"], b["toolUse"]["input"]) for b in content[1:]] == [("weather", {"city": "Paris"}), ("time", {"city": "Rome"})], content
    blocks, _, _ = joined(client.converse_stream(modelId=model(replay="parallel-stream"), messages=ASK, toolConfig=TOOLS)["stream"])
    assert [b["toolUse"]["name"] for b in blocks[1:]] == ["weather", "time"], blocks


@check
def choices():
    theirs = {"openai": ["auto", "required", {"type": "function", "function": {"name": "time"}}],
              "anthropic": [{"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "time"}]}[PROVIDER]
    for choice, want in zip([{"auto": {}}, {"any": {}}, {"tool": {"name": "time"}}], theirs, strict=True):
        client.converse(modelId=MODEL, messages=ASK, toolConfig={**TOOLS, "toolChoice": choice})
        assert sent()["tool_choice"] == want, sent()


def raises(name, call, **kwargs):
    """The error that a call raises, which must be of the type that the SDK has for it."""
    try:
        call(**kwargs)
    except client.exceptions.ClientError as e:
        assert e.response["Error"]["Code"] == name, e.response
        assert type(e) is getattr(client.exceptions, name), type(e)
        return e.response
    raise AssertionError(f"no {name}")


@check
def errors():
    missing = raises("ResourceNotFoundException", client.converse, modelId="nobody/nothing", messages=HI)
    assert missing["ResponseMetadata"]["HTTPStatusCode"] == 404 and missing["Error"]["Message"], missing
    raises("ValidationException", client.converse, modelId=MODEL, messages=HI, toolConfig={"tools": [{"systemTool": {"name": "x"}}]})
    raises("AccessDeniedException", client_with("wrong").converse, modelId=MODEL, messages=HI)
    raises("ThrottlingException", client.converse, modelId=model(fault=429), messages=HI)
    raises("ThrottlingException", client.converse_stream, modelId=model(fault=429), messages=HI)


main()
