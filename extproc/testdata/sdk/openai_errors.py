"""Failures as the exceptions that the SDK has for them."""

import os

import openai
from checks import HI, KEY, MODEL, PROVIDER, TEXT, check, main, model, openai_client, raises

client = openai_client()
create = client.chat.completions.create


@check
def bad_request():
    error = raises(openai.BadRequestError, create, model=MODEL, messages=HI, temperature="hot")
    assert error.status_code == 400 and error.code == "invalid_request" and error.param == "temperature", error.body
    assert error.type == "invalid_request_error" and error.response.headers["x-attache-request-id"], error.body
    error = raises(openai.BadRequestError, create, model=MODEL, messages=[{"role": "user", "content": [{"type": "text", "text": 7}]}])
    assert error.param == "messages[0].content[0].text", error.body


@check
def unknown_model():
    for name in "nobody", "nobody/gpt-4o":
        error = raises(openai.NotFoundError, create, model=name, messages=HI)
        assert error.code == "model_not_found" and error.param == "model", error.body


@check
def keys():
    for key, code in {"sk-foreign": "invalid_key", os.environ["ATTACHE_REVOKED"]: "invalid_key", os.environ["ATTACHE_EXPIRED"]: "expired_key"}.items():
        error = raises(openai.AuthenticationError, openai_client(api_key=key).chat.completions.create, model=MODEL, messages=HI)
        assert error.code == code and key not in str(error.body), error.body
    error = raises(openai.AuthenticationError, create, model=MODEL, messages=HI, extra_headers={"Authorization": openai.Omit()})
    assert error.code == "missing_key", error.body


@check
def statuses_of_the_provider():
    for status, kind in {
        400: openai.BadRequestError, 404: openai.NotFoundError, 409: openai.ConflictError, 422: openai.UnprocessableEntityError,
        500: openai.InternalServerError, 503: openai.InternalServerError, 529: openai.InternalServerError,
    }.items():
        for stream in False, True:
            error = raises(kind, create, model=model(fault=status), messages=HI, stream=stream)
            assert error.status_code == status and "planned failure" in error.message and error.type and error.code, error.body


@check
def rate_limit():
    error = raises(openai.RateLimitError, create, model=model(fault=429, retry_after=7), messages=HI)
    assert error.response.headers["retry-after"] == "7" and error.code, (error.response.headers, error.body)


@check
def refused_credential_of_the_gateway():
    for status in 401, 403:
        error = raises(openai.InternalServerError, create, model=model(fault=status), messages=HI)
        assert error.status_code == 502 and error.code == "upstream_error", error.body


@check
def broken_answers():
    for fault in ("html", "reset") if PROVIDER == "openai" else ("html", "reset", "bad-json", "error-first"):  # the rest passes as it is
        error = raises(openai.InternalServerError, create, model=model(fault=fault), messages=HI)
        assert error.status_code >= 500 and error.type == "server_error", (fault, error.body)


@check
def error_in_a_stream():
    for fault in "error-first", "error-mid", "cut", "end-early":
        text = ""
        try:
            for chunk in create(model=model(fault=fault), messages=HI, stream=True):
                text += chunk.choices[0].delta.content or ""
        except openai.APIError as error:
            assert error.message and text != TEXT and (text == "" or fault != "error-first"), (fault, text, error)
        except Exception as error:  # a provider that breaks its connection breaks the client's
            assert fault == "cut" and type(error).__name__ == "RemoteProtocolError", (fault, error)
        else:
            raise AssertionError(f"{fault}: the stream ended as if it were good: {text!r}")


@check
def error_is_short():
    secret = "my card is 4111 1111 1111 1111"
    for extra in {"temperature": "hot"}, {"extra_body": {"tools": secret}}, {"extra_body": {"stop": 7}}:
        error = raises(openai.BadRequestError, create, model=MODEL, messages=[{"role": "user", "content": secret}], **extra)
        assert "4111" not in str(error.body) and KEY not in str(error.body), (PROVIDER, error.body)


main()
