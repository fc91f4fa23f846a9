// The @anthropic-ai/sdk package and the Messages API.

import assert from 'node:assert/strict';
import Anthropic, { APIError, AuthenticationError, BadRequestError, NotFoundError, RateLimitError } from '@anthropic-ai/sdk';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import { z } from 'zod';
import { KEY, PIXEL, RESULT, SCHEMA, URL, collect, fails, main, raises } from './cells.js';

const clientWith = (apiKey) => new Anthropic({ baseURL: URL, apiKey, maxRetries: 0, timeout: 30_000 });
const messages = clientWith(KEY).messages;
const ask = (model, content, more) => ({ model, max_tokens: 64, messages: [{ role: 'user', content }], ...more });
const tools = ['weather', 'time'].map((name) => ({ name, description: `Tells the ${name}.`, input_schema: SCHEMA }));

async function answerCall(cell, message) {
  const [use, ...others] = message.content;
  assert.equal(others.length, 0);
  assert.equal(message.stop_reason, 'tool_use');
  assert.equal(use.name, 'weather');
  assert.deepEqual(use.input, { city: 'Paris' });
  const turns = ask(cell.model, cell.ask, { tools });
  turns.messages.push({ role: 'assistant', content: message.content }, { role: 'user', content: [{ type: 'tool_result', tool_use_id: use.id, content: RESULT }] });
  assert.equal((await messages.create(turns)).content[0].text, cell.text);
}

await main({
  async chat(cell) {
    for (const model of [cell.model, cell.direct]) {
      const answer = await messages.create(ask(model, cell.hi, { system: 'Be brief.' }));
      assert.deepEqual(answer.content.map((block) => block.text), [cell.text]);
      assert.equal(answer.stop_reason, 'end_turn');
      assert.equal(answer.usage.output_tokens, 3);
    }
  },
  async stream(cell) {
    const events = await collect(await messages.create(ask(cell.model, cell.hi, { stream: true })));
    assert.equal(events[0].type, 'message_start');
    assert.equal(events.at(-1).type, 'message_stop');
    const final = await messages.stream(ask(cell.model, cell.hi)).finalMessage();
    assert.equal(final.content[0].text, cell.text);
    assert.equal(final.usage.output_tokens, 3);
  },
  async tools(cell) {
    await answerCall(cell, await messages.create(ask(cell.model, cell.ask, { tools })));
  },
  async streamed_tools(cell) {
    await answerCall(cell, await messages.stream(ask(cell.model, cell.ask, { tools })).finalMessage());
  },
  async structured(cell) {
    const format = zodOutputFormat(z.object({ city: z.string() }));
    const answer = await messages.parse(ask(cell.model, cell.hi, { output_config: { format } }));
    assert.deepEqual(answer.parsed_output, { city: 'Paris' });
  },
  async images(cell) {
    const content = [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } }, { type: 'text', text: cell.hi }];
    assert.equal((await messages.create(ask(cell.model, content))).content[0].text, cell.text + ' I see 1 images.');
  },
  async broken_stream(cell) {
    await fails(APIError, await messages.create(ask(cell.broken, cell.hi, { stream: true })), (event) => event.delta?.text);
  },
  async errors(cell) {
    const hi = ask(cell.model, cell.hi);
    assert.equal((await raises(AuthenticationError, () => clientWith('sk-foreign').messages.create(hi))).error.error.type, 'authentication_error');
    assert.equal((await raises(NotFoundError, () => messages.create({ ...hi, model: 'nobody' }))).error.error.type, 'not_found_error');
    assert.match((await raises(BadRequestError, () => messages.create({ ...hi, temperature: 'hot' }))).message, /temperature: /);
    for (const stream of [false, true]) {
      const error = await raises(RateLimitError, () => messages.create({ ...hi, model: cell.busy, stream }));
      assert.equal(error.headers.get('retry-after'), '7');
    }
  },
  async count(cell) {
    const n = async (content) => (await messages.countTokens({ model: cell.model, messages: [{ role: 'user', content }] })).input_tokens;
    const [few, many] = [await n('Hi'), await n('Hi '.repeat(100))];
    assert.ok(0 < few && few < many && many < 1000, `${few}, ${many}`);
  },
});
