"""The asynchronous client, alone and with many streams at once."""

import asyncio

import anthropic
from checks import HI, MODEL, OPTIONS, TEXT, URL, check, main, model

ASK = {"model": MODEL, "max_tokens": 64, "messages": HI}


def client():
    return anthropic.AsyncAnthropic(base_url=URL, **OPTIONS)


async def text_of(c, **more):
    async with c.messages.stream(**{**ASK, **more}) as s:
        return "".join([piece async for piece in s.text_stream])


@check
async def whole():
    async with client() as c:
        answer = await c.messages.create(**ASK)
        assert answer.content[0].text == TEXT, answer


@check
async def stream():
    async with client() as c:
        assert await text_of(c) == TEXT
        kinds = [e.type async for e in await c.messages.create(**ASK, stream=True)]
        assert kinds[0] == "message_start" and kinds[-1] == "message_stop", kinds


@check
async def twenty_streams():
    async with client() as c:
        async def one(i):
            words = f"Stream number {i} speaks."
            return words, await text_of(c, model=model(text=words, gap="5ms"))

        for words, text in await asyncio.gather(*(one(i) for i in range(20))):
            assert text == words, (words, text)


@check
async def abandoned_stream():
    async with client() as c:
        async with c.messages.stream(**{**ASK, "model": model(events=1000, gap="20ms")}) as s:
            async for _ in s.text_stream:
                break
        assert await text_of(c) == TEXT


main()
