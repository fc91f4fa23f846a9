"""The asynchronous client, alone and with many streams at once."""

import asyncio

import openai
from checks import HI, MODEL, OPTIONS, TEXT, URL, check, main, model


def client():
    return openai.AsyncOpenAI(base_url=URL + "/v1", **OPTIONS)


async def text_of(stream):
    text = ""
    async for chunk in stream:
        text += chunk.choices[0].delta.content or ""
    return text


@check
async def whole():
    async with client() as c:
        answer = await c.chat.completions.create(model=MODEL, messages=HI)
        assert answer.choices[0].message.content == TEXT, answer


@check
async def stream():
    async with client() as c:
        assert await text_of(await c.chat.completions.create(model=MODEL, messages=HI, stream=True)) == TEXT
        async with c.chat.completions.stream(model=MODEL, messages=HI) as events:
            final = await events.get_final_completion()
        assert final.choices[0].message.content == TEXT, final


@check
async def twenty_streams():
    async with client() as c:
        async def one(i):
            words = f"Stream number {i} speaks."
            return words, await text_of(await c.chat.completions.create(model=model(text=words, gap="5ms"), messages=HI, stream=True))

        for words, text in await asyncio.gather(*(one(i) for i in range(20))):
            assert text == words, (words, text)


@check
async def abandoned_stream():
    async with client() as c:
        stream = await c.chat.completions.create(model=model(events=1000, gap="20ms"), messages=HI, stream=True)
        async for _ in stream:
            break
        await stream.close()
        assert await text_of(await c.chat.completions.create(model=MODEL, messages=HI, stream=True)) == TEXT


main()
