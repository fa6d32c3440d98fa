/** Asks before something is done, and for what it takes. */

import { byId, make, write } from '../shared/dom.js';

const dialog = byId('ask');
const form = dialog.querySelector('form');

/**
 * Ask, and wait for the answer: the values of the fields by their names, or null.
 *
 * @param {object} question
 * @param {string} question.title
 * @param {string} question.text
 * @param {string} question.yes  what the button says that does it
 * @param {object[]} [question.fields]  attributes of inputs, with a `label`; with `rows`, of a textarea
 */
export function ask({ title, text, yes, fields = [] }) {
  write(byId('ask-title'), title);
  write(byId('ask-text'), text);
  write(byId('ask-yes'), yes);
  byId('ask-fields').replaceChildren(...fields.flatMap(field));
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(answer()), { once: true });
  });
}

function answer() {
  return dialog.returnValue === 'yes' ? Object.fromEntries(new FormData(form)) : null;
}

function field({ label, ...attributes }) {
  const id = `ask-${attributes.name}`;
  const tag = 'rows' in attributes ? 'textarea' : 'input';
  return [make('label', { for: id }, label), make(tag, { id, required: '', ...attributes })];
}
