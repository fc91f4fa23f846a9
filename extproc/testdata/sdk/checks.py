"""Runs the checks of one script: each prints a line, a failed one its traceback as well.

The environment says where the gateway and the provider behind it are. Clients validate what they get, which the SDKs
leave undone by default, and do not retry.
"""

import asyncio
import inspect
import json
import os
import sys
import traceback
import urllib.request

URL = os.environ["ATTACHE_URL"]
KEY = os.environ["ATTACHE_KEY"]
PROVIDER = os.environ["PROVIDER"]  # the dialect of the provider, which is its name as well
MODEL = {"openai": "openai/gpt-4o", "anthropic": "anthropic/claude-sonnet-4-5"}[PROVIDER]
TEXT = f"Hello from {PROVIDER}."  # what the provider says
OPTIONS = {"api_key": KEY, "max_retries": 0, "timeout": 30, "_strict_response_validation": True}

HI = [{"role": "user", "content": "Hi"}]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def openai_client(**options):
    import openai  # here, since one SDK takes half a second to load

    return openai.OpenAI(base_url=URL + "/v1", **{**OPTIONS, **options})


def anthropic_client(**options):
    import anthropic

    return anthropic.Anthropic(base_url=URL, **{**OPTIONS, **options})


def model(**behaviour):
    """The model whose name tells the provider how to behave."""
    return MODEL + "".join(f"@{name.replace('_', '-')}={value}" for name, value in behaviour.items())


def only(provider):
    """A check that makes sense with one provider."""
    return lambda function: check(function) if provider == PROVIDER else function


_checks = []


def check(function):
    _checks.append(function)
    return function


def sent():
    """The body of the last request that the provider got."""
    return json.loads(_log()[-1]["body"])


def sent_headers():
    return {name.lower(): values[0] for name, values in _log()[-1]["header"].items()}


def _log():
    with urllib.request.urlopen(os.environ["PROVIDER_URL"] + "/_mock/log") as response:
        return json.load(response)


def raises(error, call, *args, **kwargs):
    """The error that a call raises, which must be of that very type."""
    try:
        call(*args, **kwargs)
    except error as e:
        assert type(e) is error, f"{type(e)}: {e}"
        return e
    raise AssertionError(f"no {error.__name__}")


def main():
    failed = False
    for function in _checks:
        try:
            result = function()
            if inspect.iscoroutine(result):
                asyncio.run(result)
            print("ok", function.__name__)
        except Exception:
            failed = True
            print("FAILED", function.__name__)
            traceback.print_exc(file=sys.stdout)
    sys.exit(failed)
