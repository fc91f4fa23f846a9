// The openai package and the Responses API.

import assert from 'node:assert/strict';
import OpenAI, { AuthenticationError, BadRequestError, NotFoundError, RateLimitError } from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { KEY, PIXEL, RESULT, SCHEMA, URL, collect, main, raises } from './cells.js';

const clientWith = (apiKey) => new OpenAI({ baseURL: URL + '/v1', apiKey, maxRetries: 0, timeout: 30_000 });
const responses = clientWith(KEY).responses;
const tools = ['weather', 'time'].map((name) => ({ type: 'function', name, description: `Tells the ${name}.`, strict: true, parameters: SCHEMA }));
const text = { format: zodTextFormat(z.object({ city: z.string() }), 'place') };

async function answerCall(cell, response) {
  const [call, ...others] = response.output.filter((item) => item.type === 'function_call');
  assert.equal(others.length, 0);
  assert.equal(call.name, 'weather');
  assert.deepEqual(JSON.parse(call.arguments), { city: 'Paris' });
  const input = [{ role: 'user', content: cell.ask }, ...response.output, { type: 'function_call_output', call_id: call.call_id, output: RESULT }];
  assert.equal((await responses.create({ model: cell.model, input, tools, store: false })).output_text, cell.text);
}

await main({
  async chat(cell) {
    for (const model of [cell.model, cell.direct]) {
      const answer = await responses.create({ model, input: cell.hi, instructions: 'Be brief.', max_output_tokens: 50, store: false });
      assert.equal(answer.output_text, cell.text);
      assert.equal(answer.status, 'completed');
      assert.equal(answer.usage.output_tokens, 3);
    }
  },
  async stream(cell) {
    const events = await collect(await responses.create({ model: cell.model, input: cell.hi, stream: true, store: false }));
    assert.deepEqual(events.map((e) => e.sequence_number), [...events.keys()]);
    assert.equal(events.map((e) => (e.type === 'response.output_text.delta' ? e.delta : '')).join(''), cell.text);
    const helper = responses.stream({ model: cell.model, input: cell.hi, store: false });
    assert.equal((await helper.finalResponse()).output_text, cell.text);
  },
  async tools(cell) {
    await answerCall(cell, await responses.create({ model: cell.model, input: cell.ask, tools, store: false }));
  },
  async streamed_tools(cell) {
    await answerCall(cell, await responses.stream({ model: cell.model, input: cell.ask, tools, store: false }).finalResponse());
  },
  async structured(cell) {
    const ask = { model: cell.model, input: cell.hi, text, store: false };
    assert.deepEqual((await responses.parse(ask)).output_parsed, { city: 'Paris' });
    assert.deepEqual((await responses.stream(ask).finalResponse()).output_parsed, { city: 'Paris' });
  },
  async images(cell) {
    const content = [{ type: 'input_text', text: cell.hi }, { type: 'input_image', detail: 'auto', image_url: 'data:image/png;base64,' + PIXEL }];
    const answer = await responses.create({ model: cell.model, input: [{ role: 'user', content }], store: false });
    assert.equal(answer.output_text, cell.text + ' I see 1 images.');
  },
  async broken_stream(cell) {
    const events = await collect(await responses.create({ model: cell.broken, input: cell.hi, stream: true, store: false }));
    const last = events.at(-1); // which the SDK leaves to its caller
    assert.ok(events.some((e) => e.type === 'response.output_text.delta') && (last.type === 'error' ? last : last.response.error).message, JSON.stringify(last));
  },
  async count(cell) {
    const n = async (input) => (await responses.inputTokens.count({ model: cell.model, input })).input_tokens;
    const [few, many] = [await n('Hi'), await n('Hi '.repeat(100))];
    assert.ok(0 < few && few < many && many < 1000, `${few}, ${many}`);
  },
  async errors(cell) {
    const ask = { model: cell.model, input: cell.hi, store: false };
    assert.equal((await raises(AuthenticationError, () => clientWith('sk-foreign').responses.create(ask))).code, 'invalid_key');
    assert.equal((await raises(NotFoundError, () => responses.create({ ...ask, model: 'nobody' }))).code, 'model_not_found');
    assert.equal((await raises(BadRequestError, () => responses.create({ ...ask, temperature: 'hot' }))).param, 'temperature');
    for (const stream of [false, true]) {
      const error = await raises(RateLimitError, () => responses.create({ ...ask, model: cell.busy, stream }));
      assert.equal(error.headers.get('retry-after'), '7');
    }
  },
});
