// The @google/genai package and the Gemini API.

import assert from 'node:assert/strict';
import { ApiError, FinishReason, GoogleGenAI } from '@google/genai';
import { KEY, PIXEL, RESULT, SCHEMA, URL, collect, fails, main, raises } from './cells.js';

const clientWith = (apiKey) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: URL, timeout: 30_000 } });
const models = clientWith(KEY).models;
const config = { tools: [{ functionDeclarations: ['weather', 'time'].map((name) => ({ name, description: `Tells the ${name}.`, parametersJsonSchema: SCHEMA })) }] };
const user = (part) => ({ role: 'user', parts: [part] });

async function answerCall(cell, turn) {
  const [call, ...others] = turn.functionCalls;
  assert.equal(others.length, 0);
  assert.equal(call.name, 'weather');
  assert.deepEqual(call.args, { city: 'Paris' });
  const result = user({ functionResponse: { id: call.id, name: call.name, response: { result: RESULT } } });
  const contents = [user({ text: cell.ask }), turn.candidates[0].content, result];
  assert.equal((await models.generateContent({ model: cell.model, contents, config })).text, cell.text);
}

await main({
  async chat(cell) {
    for (const model of [cell.model, cell.direct]) {
      const answer = await models.generateContent({ model, contents: cell.hi, config: { systemInstruction: 'Be brief.', maxOutputTokens: 50 } });
      assert.equal(answer.text, cell.text);
      assert.equal(answer.candidates[0].finishReason, FinishReason.STOP);
      assert.equal(answer.usageMetadata.candidatesTokenCount, 3);
    }
  },
  async stream(cell) {
    const chunks = await collect(await models.generateContentStream({ model: cell.model, contents: cell.hi }));
    assert.equal(chunks.map((c) => c.text ?? '').join(''), cell.text);
    assert.equal(chunks.at(-1).candidates[0].finishReason, FinishReason.STOP);
    assert.equal(chunks.at(-1).usageMetadata.candidatesTokenCount, 3);
    const talk = clientWith(KEY).chats.create({ model: cell.model });
    await collect(await talk.sendMessageStream({ message: cell.hi }));
    assert.equal((await talk.sendMessage({ message: cell.hi })).text, cell.text);
  },
  async tools(cell) {
    await answerCall(cell, await models.generateContent({ model: cell.model, contents: [user({ text: cell.ask })], config }));
  },
  async streamed_tools(cell) {
    const chunks = await collect(await models.generateContentStream({ model: cell.model, contents: [user({ text: cell.ask })], config }));
    await answerCall(cell, chunks.find((c) => c.functionCalls));
  },
  async structured(cell) {
    const answer = await models.generateContent({ model: cell.model, contents: cell.hi, config: { responseMimeType: 'application/json', responseJsonSchema: SCHEMA } });
    assert.deepEqual(JSON.parse(answer.text), { city: 'Paris' });
  },
  async images(cell) {
    const contents = [{ role: 'user', parts: [{ text: cell.hi }, { inlineData: { mimeType: 'image/png', data: PIXEL } }] }];
    assert.equal((await models.generateContent({ model: cell.model, contents })).text, cell.text + ' I see 1 images.');
  },
  async broken_stream(cell) {
    await fails(ApiError, await models.generateContentStream({ model: cell.broken, contents: cell.hi }), (chunk) => chunk.text);
  },
  async errors(cell) {
    const ask = { model: cell.model, contents: cell.hi };
    const failure = async (call) => {
      const error = await raises(ApiError, call);
      const body = JSON.parse(error.message).error;
      assert.equal(body.code, error.status);
      return body;
    };
    assert.equal((await failure(() => clientWith('wrong').models.generateContent(ask))).status, 'UNAUTHENTICATED');
    assert.equal((await failure(() => models.generateContent({ ...ask, model: 'nobody' }))).status, 'NOT_FOUND');
    const bad = await failure(() => models.generateContent({ ...ask, config: { temperature: 'hot' } }));
    assert.match(bad.message, /generationConfig\.temperature/);
    for (const call of [() => models.generateContent({ ...ask, model: cell.busy }), () => models.generateContentStream({ ...ask, model: cell.busy })]) {
      const busy = await failure(call);
      assert.equal(busy.status, 'RESOURCE_EXHAUSTED');
      assert.equal(busy.details.find((d) => d['@type'].endsWith('RetryInfo')).retryDelay, '7s');
    }
  },
  async count(cell) {
    const n = async (contents) => (await models.countTokens({ model: cell.model, contents })).totalTokens;
    const [few, many] = [await n('Hi'), await n('Hi '.repeat(100))];
    assert.ok(0 < few && few < many && many < 1000, `${few}, ${many}`);
  },
});
