// The openai package and Chat Completions.

import assert from 'node:assert/strict';
import OpenAI, { APIError, AuthenticationError, BadRequestError, NotFoundError, RateLimitError } from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { KEY, PIXEL, RESULT, SCHEMA, URL, collect, fails, main, raises } from './cells.js';

const clientWith = (apiKey) => new OpenAI({ baseURL: URL + '/v1', apiKey, maxRetries: 0, timeout: 30_000 });
const completions = clientWith(KEY).chat.completions;
const said = (content) => [{ role: 'user', content }];
const tools = ['weather', 'time'].map((name) => ({ type: 'function', function: { name, description: `Tells the ${name}.`, strict: true, parameters: SCHEMA } }));
const format = zodResponseFormat(z.object({ city: z.string() }), 'place');

async function answerCall(cell, choice) {
  const [call, ...others] = choice.message.tool_calls;
  assert.equal(others.length, 0);
  assert.equal(choice.finish_reason, 'tool_calls');
  assert.equal(call.function.name, 'weather');
  assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Paris' });
  const messages = [...said(cell.ask), choice.message, { role: 'tool', tool_call_id: call.id, content: RESULT }];
  const back = await completions.create({ model: cell.model, messages, tools });
  assert.equal(back.choices[0].message.content, cell.text);
}

await main({
  async chat(cell) {
    for (const model of [cell.model, cell.direct]) {
      const answer = await completions.create({ model, messages: [{ role: 'developer', content: 'Be brief.' }, ...said(cell.hi)], max_completion_tokens: 50 });
      assert.equal(answer.choices[0].message.content, cell.text);
      assert.equal(answer.choices[0].finish_reason, 'stop');
      assert.equal(answer.usage.completion_tokens, 3);
    }
  },
  async stream(cell) {
    const chunks = await collect(await completions.create({ model: cell.model, messages: said(cell.hi), stream: true, stream_options: { include_usage: true } }));
    assert.equal(chunks.map((c) => c.choices[0]?.delta.content ?? '').join(''), cell.text);
    assert.equal(chunks.at(-1).usage.completion_tokens, 3);
    const helper = completions.stream({ model: cell.model, messages: said(cell.hi) });
    assert.equal(await helper.finalContent(), cell.text);
  },
  async tools(cell) {
    await answerCall(cell, (await completions.create({ model: cell.model, messages: said(cell.ask), tools })).choices[0]);
    // The SDK's own loop, which calls the function itself.
    const run = { type: 'function', function: { ...tools[0].function, parse: JSON.parse, function: ({ city }) => `${city}: ${RESULT}` } };
    const runner = completions.runTools({ model: cell.model, messages: said(cell.ask), tools: [run] });
    assert.equal(await runner.finalContent(), cell.text);
    assert.equal(await runner.finalFunctionToolCallResult(), `Paris: ${RESULT}`);
  },
  async streamed_tools(cell) {
    const helper = completions.stream({ model: cell.model, messages: said(cell.ask), tools });
    await answerCall(cell, (await helper.finalChatCompletion()).choices[0]);
  },
  async structured(cell) {
    const ask = { model: cell.model, messages: said(cell.hi), response_format: format };
    assert.deepEqual((await completions.parse(ask)).choices[0].message.parsed, { city: 'Paris' });
    assert.deepEqual((await completions.stream(ask).finalChatCompletion()).choices[0].message.parsed, { city: 'Paris' });
  },
  async images(cell) {
    const content = [{ type: 'text', text: cell.hi }, { type: 'image_url', image_url: { url: 'data:image/png;base64,' + PIXEL } }];
    const answer = await completions.create({ model: cell.model, messages: said(content) });
    assert.equal(answer.choices[0].message.content, cell.text + ' I see 1 images.');
  },
  async broken_stream(cell) {
    const chunks = await completions.create({ model: cell.broken, messages: said(cell.hi), stream: true });
    await fails(APIError, chunks, (chunk) => chunk.choices[0].delta.content);
  },
  async errors(cell) {
    const ask = { model: cell.model, messages: said(cell.hi) };
    assert.equal((await raises(AuthenticationError, () => clientWith('sk-foreign').chat.completions.create(ask))).code, 'invalid_key');
    assert.equal((await raises(NotFoundError, () => completions.create({ ...ask, model: 'nobody' }))).code, 'model_not_found');
    assert.equal((await raises(BadRequestError, () => completions.create({ ...ask, temperature: 'hot' }))).param, 'temperature');
    for (const stream of [false, true]) {
      const error = await raises(RateLimitError, () => completions.create({ ...ask, model: cell.busy, stream }));
      assert.equal(error.headers.get('retry-after'), '7');
    }
  },
});
