/** Calls to the service, and what can become of them. */

import { learn } from './clock.js';

const DEADLINE = 20_000; // milliseconds

/** The service has answered no, or nothing (then `status` is 0). */
export class CallError extends Error {
  constructor(status, code, message, retryAfter = 0) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter * 1000;
  }

  /** Whether the same call may well succeed a little later. */
  get isPassing() {
    if (this.code === 'blink_refused') return false;
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Make a call and read its JSON. Throws `CallError`. */
export async function call(path, options) {
  const response = await answer(path, options);
  return arrived(response.json());
}

/** Make a call and read what it answers as a file. Throws `CallError`. */
export async function download(path, options) {
  const response = await answer(path, options);
  return arrived(response.blob());
}

async function answer(path, { method = 'GET', token, body } = {}) {
  const response = await send(path, {
    method,
    headers: token ? { Authorization: `Bearer ${token}` } : {},
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(DEADLINE),
    credentials: 'omit',
  });
  learn(response.headers.get('Date'));
  if (!response.ok) throw await refusal(response);
  return response;
}

async function send(path, request) {
  try {
    return await fetch(new URL(path, document.baseURI), request);
  } catch {
    throw new CallError(0, 'unreachable', 'The service cannot be reached.');
  }
}

/** The rest of an answer, unless the line breaks in the middle of it. */
async function arrived(reading) {
  try {
    return await reading;
  } catch {
    throw new CallError(0, 'unreachable', 'The answer was lost on its way.');
  }
}

async function refusal(response) {
  const { error } = await response.json().catch(() => ({}));
  const retryAfter = Number(response.headers.get('Retry-After')) || 0;
  const message = error ? sentence(error.message) : `The service has answered ${response.status}.`;
  return new CallError(response.status, error?.code, message, retryAfter);
}

function sentence(text) {
  const whole = text[0].toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
