/** The screen that asks for the POS token, once on a device. */

import { byId, write } from '../shared/dom.js';
import { demo } from '../shared/demo.js';
import { today } from './till.js';

const field = byId('token');
const problem = byId('sign-in-problem');

/** Call `onToken` with each token that the service takes. */
export function setUp(onToken) {
  byId('sign-in-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const token = field.value.trim();
    if (await isGood(token)) onToken(token);
  });
}

/** Ask for a token, and say why if there was one. */
export async function ask(reason = '') {
  write(problem, reason);
  field.value = demo && !reason ? await demo.posToken() : '';
  field.focus();
}

async function isGood(token) {
  try {
    await today(token);
    return true;
  } catch (error) {
    write(problem, error.status === 401 ? 'This is no POS token of this service.' : error.message);
    field.select();
    return false;
  }
}
