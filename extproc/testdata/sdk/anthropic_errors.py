"""Failures as the exceptions that the SDK has for them."""

import os

import anthropic
from checks import HI, KEY, MODEL, PROVIDER, TEXT, anthropic_client, check, main, model, raises

client = anthropic_client()
ASK = {"model": MODEL, "max_tokens": 64, "messages": HI}


def create(**more):
    return client.messages.create(**{**ASK, **more})


def kind(error):
    assert error.body["type"] == "error" and error.body["error"]["message"], error.body
    return error.body["error"]["type"]


@check
def bad_request():
    error = raises(anthropic.BadRequestError, create, extra_body={"temperature": "hot"})
    assert kind(error) == "invalid_request_error" and "temperature: " in error.message, error.body
    error = raises(anthropic.BadRequestError, create, messages=[{"role": "user", "content": [{"type": "text", "text": 7}]}])
    assert "messages[0].content[0].text: " in error.message, error.body


@check
def unknown_model():
    for name in "nobody", "nobody/gpt-4o":
        assert kind(raises(anthropic.NotFoundError, create, model=name)) == "not_found_error"


@check
def keys():
    for key, code in {"sk-foreign": "invalid_key", os.environ["ATTACHE_REVOKED"]: "invalid_key", os.environ["ATTACHE_EXPIRED"]: "expired_key"}.items():
        error = raises(anthropic.AuthenticationError, anthropic_client(api_key=key).messages.create, **ASK)
        assert kind(error) == "authentication_error" and error.body["error"]["code"] == code, error.body
        assert key not in str(error.body), error.body
    error = raises(anthropic.AuthenticationError, create, extra_headers={"Authorization": anthropic.Omit()})
    assert error.body["error"]["code"] == "missing_key", error.body


@check
def key_in_either_header():
    create()
    create(extra_headers={"Authorization": anthropic.Omit(), "X-Api-Key": KEY})


@check
def statuses_of_the_provider():
    for status, (error_class, type_) in {
        400: (anthropic.BadRequestError, "invalid_request_error"), 404: (anthropic.NotFoundError, "not_found_error"),
        409: (anthropic.ConflictError, None), 413: (anthropic.RequestTooLargeError, "request_too_large"),
        500: (anthropic.InternalServerError, "api_error"), 529: (anthropic.OverloadedError, "overloaded_error"),
    }.items():
        for stream in False, True:
            error = raises(error_class, create, model=model(fault=status), stream=stream)
            assert error.status_code == status and "planned failure" in error.message, error.body
            assert type_ in (kind(error), None), error.body


@check
def rate_limit():
    error = raises(anthropic.RateLimitError, create, model=model(fault=429, retry_after=7))
    assert error.response.headers["retry-after"] == "7" and kind(error) == "rate_limit_error", (error.response.headers, error.body)


@check
def refused_credential_of_the_gateway():
    for status in 401, 403:
        error = raises(anthropic.InternalServerError, create, model=model(fault=status))
        assert error.status_code == 502 and kind(error) == "api_error", error.body


@check
def broken_answers():
    for fault in ("html", "reset") if PROVIDER == "anthropic" else ("html", "reset", "bad-json", "error-first"):  # the rest passes as it is
        try:
            create(model=model(fault=fault))
        except anthropic.APIStatusError as error:
            assert error.status_code >= 500 and kind(error) in ("api_error", "overloaded_error"), (fault, error.body)
        else:
            raise AssertionError(f"{fault}: no error")


@check
def error_in_a_stream():
    early = ["cut", "end-early"] if PROVIDER == "openai" else []  # the provider's own stream passes as it is
    for fault in "error-first", "error-mid", *early:
        text = ""
        try:
            with client.messages.stream(**{**ASK, "model": model(fault=fault)}) as s:
                for piece in s.text_stream:
                    text += piece
        except anthropic.APIError as error:
            assert kind(error) in ("api_error", "overloaded_error"), error.body
            assert text != TEXT and (text == "" or fault != "error-first"), (fault, text)
        except Exception as error:  # a provider that breaks its connection breaks the client's
            assert fault == "cut" and type(error).__name__ == "RemoteProtocolError", (fault, error)
        else:
            raise AssertionError(f"{fault}: the stream ended as if it were good: {text!r}")


main()
