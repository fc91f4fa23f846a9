"""Runs cells of the matrix: what one SDK does with one provider, by one feature.

A script defines a function for each feature and calls main. The environment says where the gateway is and which cells to
run. What the provider must have got of a request is checked outside, by the mark in its prompt.
"""

import os
import sys
import traceback

URL = os.environ["ATTACHE_URL"]
KEY = os.environ["ATTACHE_KEY"]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
RESULT = "20 degrees"  # of every tool
THOUGHT = "The user wants an answer."  # of every provider, if it is told to think


class Cell:
    def __init__(self, name):
        self.name = name
        self.provider, self.feature = name.split("/")
        self.model = self.provider + "-model"
        self.busy = self.provider + "-busy"  # answers 429, and to come back in 7 seconds
        self.broken = self.provider + "-broken"  # its streams end with an error after half of 40 words
        self.direct = os.environ["MODEL_" + self.provider.upper()]  # as provider/model
        self.text = f"Hello from {self.provider}."
        self.mark = os.environ["CLIENT"] + "/" + name
        self.hi = f"Hi from {self.mark}"
        self.ask = f"Please use tool for {self.mark}"


def raises(error, call, *args, **kwargs):
    """The error that a call raises, which must be of that very type."""
    try:
        call(*args, **kwargs)
    except error as e:
        assert type(e) is error, f"{type(e)}: {e}"
        return e
    raise AssertionError(f"no {error.__name__}")


def fails(error, pieces):
    """Checks that a stream of texts begins, and then fails with an error of a type."""
    text = ""
    try:
        for piece in pieces:
            text += piece or ""
    except error as e:
        assert 5 < len(text.split()) < 40 and str(e), (text, e)
        return
    raise AssertionError(f"the stream ended as if it were good: {text!r}")


def main(features):
    cells = [Cell(name) for name in os.environ["CELLS"].split()]
    failed = False
    for cell in cells:
        try:
            features[cell.feature](cell)
            print("ok", cell.name, flush=True)
        except Exception:
            failed = True
            print("FAILED", cell.name)
            traceback.print_exc(file=sys.stdout)
    print(f"ran {len(cells)} cells")
    sys.exit(failed)
