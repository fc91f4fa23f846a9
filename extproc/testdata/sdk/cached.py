"""The same questions by each SDK, whole and streamed. The test runs it twice: the second time the cache answers."""

import os

import anthropic
import boto3
import openai
from botocore import UNSIGNED
from botocore.config import Config
from google import genai
from google.genai import types

URL, TEXT = os.environ["ATTACHE_URL"], "forty-two"
OPTIONS = {"api_key": "none", "max_retries": 0, "timeout": 30, "_strict_response_validation": True}
HI = [{"role": "user", "content": "Hi"}]

chat = openai.OpenAI(base_url=URL + "/v1", **OPTIONS)
ask = {"model": "one", "messages": HI}
whole = chat.chat.completions.create(**ask)
assert whole.choices[0].message.content == TEXT and whole.usage.completion_tokens > 0, whole
with chat.chat.completions.stream(**ask, stream_options={"include_usage": True}) as stream:
    said = stream.get_final_completion()
assert said.choices[0].message.content == TEXT and said.usage.total_tokens == whole.usage.total_tokens, said

answer = chat.responses.create(model="one", input="Hi")
assert answer.output_text == TEXT and answer.status == "completed", answer
with chat.responses.stream(model="one", input="Hi") as stream:
    assert stream.until_done().get_final_response().output_text == TEXT

claude = anthropic.Anthropic(base_url=URL, **OPTIONS)
ask = {"model": "one", "max_tokens": 64, "messages": HI}
message = claude.messages.create(**ask)
assert message.content[0].text == TEXT and message.stop_reason == "end_turn", message
with claude.messages.stream(**ask) as stream:
    assert stream.get_final_message().content[0].text == TEXT

gemini = genai.Client(api_key="none", http_options=types.HttpOptions(base_url=URL, timeout=30_000))
assert gemini.models.generate_content(model="one", contents="Hi").text == TEXT
assert "".join(c.text for c in gemini.models.generate_content_stream(model="one", contents="Hi") if c.text) == TEXT

bedrock = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=URL, config=Config(signature_version=UNSIGNED, retries={"max_attempts": 0}))
ask = {"modelId": "one", "messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
assert bedrock.converse(**ask)["output"]["message"]["content"] == [{"text": TEXT}]
events = list(bedrock.converse_stream(**ask)["stream"])
assert "".join(e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e) == TEXT, events
assert "messageStop" in events[-2] and "metadata" in events[-1], events

print("ok cached")
