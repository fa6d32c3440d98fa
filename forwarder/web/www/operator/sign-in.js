/** The form that asks for the operator token. */

import { demo } from '../shared/demo.js';
import { byId, write } from '../shared/dom.js';
import * as office from './office.js';

const field = byId('token');
const problem = byId('sign-in-problem');

/** Call `onEnter` when a token is good. */
export function setUp(onEnter) {
  byId('sign-in-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    office.use(field.value.trim());
    try {
      await office.status();
      field.value = '';
      onEnter();
    } catch (error) {
      office.use('');
      write(problem, error.status === 401 ? 'This is not the operator token.' : error.message);
      field.select();
    }
  });
}

/** Ask for the token, and say why if there was one. */
export async function ask(reason = '') {
  write(problem, reason);
  field.value = demo && !reason ? await demo.operatorToken() : '';
  field.focus();
}
