/** The screen where an amount is entered: by touch, by keyboard, or by both. */

import { byId, write } from '../shared/dom.js';
import { digits } from '../shared/words.js';

const MOST_DIGITS = 12;

const amount = byId('amount');
const note = byId('note');
const problem = byId('keypad-problem');

/** Call `onCharge` with each amount and note. */
export function setUp(onCharge) {
  amount.addEventListener('input', () => enter(amount.value));
  byId('keys').addEventListener('click', press);
  document.addEventListener('keydown', type);
  byId('keypad-form').addEventListener('submit', (event) => {
    event.preventDefault();
    if (entered() > 0) onCharge(entered(), note.value.trim());
    else complain('Enter an amount first.');
  });
}

/** Begin anew. */
export function clear() {
  enter('');
  note.value = '';
  focus();
}

/** Say what was wrong with the last sale; what was entered is still there. */
export function complain(reason) {
  write(problem, reason);
  focus();
}

function focus() {
  amount.focus({ preventScroll: true });
}

function entered() {
  return Number(amount.value.replace(/\D/g, ''));
}

function enter(text) {
  const number = text.replace(/\D/g, '').replace(/^0+/, '').slice(0, MOST_DIGITS);
  amount.value = digits(number);
  amount.dataset.length = number.length > 9 ? 'long' : number.length > 6 ? 'middle' : 'short';
  write(problem, '');
}

function press(event) {
  const key = event.target.closest('button');
  if (!key) return;
  const before = amount.value.replace(/\D/g, '');
  enter(key.value === 'back' ? before.slice(0, -1) : before + key.value);
  // After a tap, Enter is to charge; who walks the keys by keyboard stays where he is.
  if (event.detail > 0) focus();
}

/** A digit is meant for the amount wherever the focus is, unless it is in a field. */
function type(event) {
  const isElsewhere = byId('keypad').hidden || event.target instanceof HTMLInputElement;
  if (isElsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^\d$/.test(event.key) || event.key === 'Backspace') focus();
}
