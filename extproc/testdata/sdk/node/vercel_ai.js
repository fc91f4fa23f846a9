// The ai package with each of its providers: what a provider writes and reads is an API of its own.

import assert from 'node:assert/strict';
import { createAmazonBedrock } from '@ai-sdk/amazon-bedrock';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { APICallError, Output, generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { KEY, PIXEL, RESULT, URL, collect, main } from './cells.js';

globalThis.AI_SDK_LOG_WARNINGS = (warnings) => {
  throw new Error('warnings: ' + JSON.stringify(warnings));
};

const api = process.argv[2];
const modelWith = {
  chat: (apiKey) => createOpenAI({ baseURL: URL + '/v1', apiKey }).chat,
  responses: (apiKey) => createOpenAI({ baseURL: URL + '/v1', apiKey }).responses,
  anthropic: (apiKey) => createAnthropic({ baseURL: URL + '/v1', apiKey }),
  google: (apiKey) => createGoogleGenerativeAI({ baseURL: URL + '/v1beta', apiKey }),
  bedrock: (apiKey) => createAmazonBedrock({ baseURL: URL, region: 'us-east-1', apiKey }),
}[api];
// Its Google provider takes a name with a slash as a path below the base URL.
const named = (name) => (api === 'google' && name.includes('/') ? 'models/' + name : name);
const model = (name, key = KEY) => modelWith(key)(named(name));
const options = {
  maxRetries: 0,
  maxOutputTokens: 50, // or its Anthropic provider warns that it does not know the model
  providerOptions: { openai: { store: false }, anthropic: { structuredOutputMode: 'outputFormat' } },
};

const tools = Object.fromEntries(['weather', 'time'].map((name) => [name, tool({
  description: `Tells the ${name}.`,
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => {
    assert.equal(city, 'Paris');
    return RESULT;
  },
})]));

// failOn makes an error of a stream the stream's failure.
const failOn = { onError: ({ error }) => { throw error; } };

function checkSteps(cell, steps, text) {
  assert.equal(text, cell.text);
  assert.equal(steps.length, 2);
  const [call] = steps[0].toolCalls;
  assert.equal(steps[0].finishReason, 'tool-calls');
  assert.deepEqual([call.toolName, call.input], ['weather', { city: 'Paris' }]);
}

await main({
  async chat(cell) {
    for (const name of [cell.model, cell.direct]) {
      const answer = await generateText({ model: model(name), system: 'Be brief.', prompt: cell.hi, ...options });
      assert.equal(answer.text, cell.text);
      assert.equal(answer.finishReason, 'stop');
      assert.equal(answer.usage.outputTokens, 3);
      assert.ok(answer.usage.inputTokens > 0);
    }
  },
  async stream(cell) {
    const result = streamText({ model: model(cell.direct), prompt: cell.hi, ...options });
    const parts = await collect(result.fullStream);
    assert.deepEqual(parts.filter((p) => p.type === 'error'), []);
    assert.equal(parts.map((p) => (p.type === 'text-delta' ? p.text : '')).join(''), cell.text);
    assert.equal(await result.finishReason, 'stop');
    assert.equal((await result.usage).outputTokens, 3);
  },
  async tools(cell) {
    const answer = await generateText({ model: model(cell.direct), prompt: cell.ask, tools, stopWhen: stepCountIs(3), ...options });
    checkSteps(cell, answer.steps, answer.text);
  },
  async streamed_tools(cell) {
    const result = streamText({ model: model(cell.direct), prompt: cell.ask, tools, stopWhen: stepCountIs(3), ...options, ...failOn });
    const parts = await collect(result.fullStream);
    assert.deepEqual(parts.filter((p) => p.type === 'error'), []);
    checkSteps(cell, await result.steps, await result.text);
  },
  async thoughts(cell) {
    const providerOptions = {
      openai: { store: false, forceReasoning: true, reasoningEffort: 'low', reasoningSummary: 'auto', include: ['reasoning.encrypted_content'] },
      anthropic: { thinking: { type: 'enabled', budgetTokens: 1024 } },
      google: { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } },
      bedrock: { reasoningConfig: { type: 'enabled', budgetTokens: 1024 } },
    };
    const result = streamText({ model: model(cell.direct), prompt: cell.ask, tools, stopWhen: stepCountIs(3), ...options, maxOutputTokens: 4096, providerOptions, ...failOn });
    checkSteps(cell, await result.steps, await result.text);
    assert.equal((await result.steps)[0].reasoningText, 'The user wants an answer.');
  },
  async structured(cell) {
    const output = Output.object({ schema: z.object({ city: z.string() }) });
    const prompt = api === 'bedrock' ? cell.ask : cell.hi; // with models that are not Claude, Bedrock's answers by a tool
    const answer = await generateText({ model: model(cell.direct), prompt, output, ...options });
    assert.deepEqual(answer.output, { city: 'Paris' });
  },
  async images(cell) {
    const content = [{ type: 'text', text: cell.hi }, { type: 'image', image: PIXEL, mediaType: 'image/png' }];
    const answer = await generateText({ model: model(cell.direct), messages: [{ role: 'user', content }], ...options });
    assert.equal(answer.text, cell.text + ' I see 1 images.');
  },
  async broken_stream(cell) {
    const parts = await collect(streamText({ model: model(cell.broken), prompt: cell.hi, ...options, onError() {} }).fullStream);
    assert.ok(parts.some((p) => p.type === 'text-delta') && parts.some((p) => p.type === 'error'), JSON.stringify(parts));
  },
  async errors(cell) {
    const failure = async (model) => {
      const error = await generateText({ model, prompt: cell.hi, ...options }).catch((error) => error);
      assert.ok(APICallError.isInstance(error), `no APICallError: ${error}`); // each provider has a class of its own
      return error;
    };
    assert.equal((await failure(model(cell.model, 'sk-foreign'))).statusCode, 401);
    assert.equal((await failure(model('nobody'))).statusCode, 404);
    const busy = await failure(model(cell.busy));
    assert.equal(busy.statusCode, 429);
    assert.equal(busy.responseHeaders['retry-after'], '7');
    assert.ok(busy.isRetryable && busy.message.includes('planned failure'), busy.message);
  },
});
