// Runs cells of the matrix: what one SDK does with one provider, by one feature.
//
// A script calls main with a function for each feature. The environment says where the gateway is and which cells to run.
// What the provider must have got of a request is checked outside, by the mark in its prompt.

import assert from 'node:assert/strict';

process.on('warning', (warning) => {
  throw warning;
});

export const URL = process.env.ATTACHE_URL;
export const KEY = process.env.ATTACHE_KEY;
export const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
export const RESULT = '20 degrees'; // of every tool
export const SCHEMA = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };

class Cell {
  constructor(name) {
    this.name = name;
    [this.provider, this.feature] = name.split('/');
    this.model = this.provider + '-model';
    this.busy = this.provider + '-busy'; // answers 429, and to come back in 7 seconds
    this.broken = this.provider + '-broken'; // its streams end with an error after half of 40 words
    this.direct = process.env['MODEL_' + this.provider.toUpperCase()]; // as provider/model
    this.text = `Hello from ${this.provider}.`;
    const mark = process.env.CLIENT + '/' + name;
    this.hi = 'Hi from ' + mark;
    this.ask = 'Please use tool for ' + mark;
  }
}

// raises returns the error that a call throws, which must be of that very type.
export async function raises(type, call) {
  try {
    await call();
  } catch (error) {
    assert.equal(error.constructor, type, `${error.constructor.name}: ${error.stack}`);
    return error;
  }
  assert.fail(`no ${type.name}`);
}

// fails checks that a stream begins, and then fails with an error of a type.
export async function fails(type, iterable, textOf) {
  let text = '';
  const error = await raises(type, async () => {
    for await (const event of iterable) text += textOf(event) ?? '';
  });
  const words = text.split(' ').length;
  assert.ok(5 < words && words < 40 && error.message, `${words} words: ${error}`);
}

// collect returns the elements of an asynchronous iterable.
export async function collect(iterable) {
  const all = [];
  for await (const element of iterable) all.push(element);
  return all;
}

export async function main(features) {
  const names = process.env.CELLS.split(' ');
  for (const name of names) {
    const cell = new Cell(name);
    try {
      await features[cell.feature](cell);
      console.log('ok ' + name);
    } catch (error) {
      console.log(`FAILED ${name}\n${error.stack}`);
      process.exitCode = 1;
    }
  }
  console.log(`ran ${names.length} cells`);
}
