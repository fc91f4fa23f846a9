"""Embeddings, and the list of models."""

import openai
from checks import MODEL, PROVIDER, check, main, only, openai_client, raises, sent

client = openai_client()
lenient = openai_client(_strict_response_validation=False)  # the SDK validates before it decodes base64
EMBEDDER = "openai/text-embedding-3-small"


def near(a, b):
    return len(a) == len(b) and all(abs(x - y) < 1e-6 for x, y in zip(a, b))


@only("openai")
def embeddings():
    texts = ["one two", "three"]
    coded = lenient.embeddings.create(model=EMBEDDER, input=texts, dimensions=16)
    assert sent()["encoding_format"] == "base64", sent()
    floats = client.embeddings.create(model=EMBEDDER, input=texts, dimensions=16, encoding_format="float")
    assert sent()["encoding_format"] == "float" and sent()["model"] == "text-embedding-3-small", sent()
    for answer in coded, floats:
        assert [d.index for d in answer.data] == [0, 1] and all(len(d.embedding) == 16 for d in answer.data), answer
        assert answer.usage.prompt_tokens == answer.usage.total_tokens == 3, answer.usage
    assert all(near(a.embedding, b.embedding) for a, b in zip(coded.data, floats.data)), (coded, floats)


@only("openai")
def embeddings_of_one_text_and_of_tokens():
    for given, n in {"one": ("one two", 1), "ids": ([1, 2, 3], 1), "lists": ([[1, 2], [3]], 2)}.values():
        assert len(lenient.embeddings.create(model=EMBEDDER, input=given).data) == n, given


@only("anthropic")
def no_embeddings():
    error = raises(openai.BadRequestError, client.embeddings.create, model=MODEL, input="one")
    assert error.code == "unsupported_feature", error.body


@check
def models():
    ids = [m.id for m in client.models.list()]
    assert {"smart", "openai/gpt-4o", "anthropic/claude-sonnet-4-5"} <= set(ids), (PROVIDER, ids)
    assert all(m.object == "model" for m in client.models.list())
    for name in ids:
        assert client.models.retrieve(name).id == name
    assert raises(openai.NotFoundError, client.models.retrieve, "nobody").code == "model_not_found"


main()
