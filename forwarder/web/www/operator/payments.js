/** The list of payments: what is looked for, newest first. */

import { byId, make, show, write } from '../shared/dom.js';
import { digits, moment } from '../shared/words.js';
import * as office from './office.js';

const PAGE = 20;
const TYPING = 250; // milliseconds

let wanted = PAGE;
let shown = '';

/** Call `onOpen` with the hash of each payment that is opened, and `onFilter` when the list changes. */
export function setUp(onOpen, onFilter) {
  let timer = 0;
  const begin = () => {
    wanted = PAGE;
    onFilter();
  };
  byId('state').addEventListener('change', begin);
  byId('search').addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(begin, TYPING);
  });
  byId('filter').addEventListener('submit', (event) => {
    event.preventDefault();
    begin();
  });
  byId('more').addEventListener('click', () => {
    wanted += PAGE;
    onFilter();
  });
  byId('rows').addEventListener('click', (event) => {
    const row = event.target.closest('tr');
    if (row) onOpen(row.dataset.hash);
  });
}

/** Read the list. Throws `CallError`. */
export async function update() {
  const filter = { state: byId('state').value, search: byId('search').value.trim() };
  const { payments, next } = await pages(filter);
  const text = JSON.stringify(payments);
  // What has not changed is not touched: the focus stays, and nothing is read out again.
  if (text !== shown) render(payments);
  shown = text;
  show(byId('more'), next !== null);
  write(byId('rows-hint'), payments.length ? '' : nothing(filter));
}

/** Mark the payment that is open. */
export function select(hash) {
  for (const row of byId('rows').rows) row.classList.toggle('open', row.dataset.hash === hash);
}

/** Forget what is shown, and what was looked for. */
export function clear() {
  byId('rows').replaceChildren();
  byId('filter').reset();
  shown = '';
}

/** As many pages as were asked for, as one. */
async function pages(filter) {
  let payments = [];
  let next = null;
  do {
    const limit = Math.min(100, wanted - payments.length);
    const page = await office.payments({ ...filter, limit, before: next });
    payments = payments.concat(page.payments);
    next = page.next;
  } while (next !== null && payments.length < wanted);
  return { payments, next };
}

function render(payments) {
  const focused = document.activeElement?.closest('tr')?.dataset.hash;
  const open = byId('rows').querySelector('.open')?.dataset.hash;
  byId('rows').replaceChildren(...payments.map(row));
  select(open);
  if (focused) byId('rows').querySelector(`[data-hash="${focused}"] button`)?.focus();
}

function row({ paymentHash, externalId, merchant, state, amountSat, receivedSat, receivedAt, createdAt }) {
  const name = externalId ?? paymentHash;
  return make(
    'tr',
    { 'data-hash': paymentHash, 'data-state': state },
    make('td', {}, make('button', { type: 'button', class: 'link', title: name }, name)),
    make('td', {}, merchant ?? '–'),
    make('td', {}, moment(receivedAt ?? createdAt)),
    make('td', {}, make('span', { class: 'chip' }, state)),
    make('td', {}, digits(receivedSat || amountSat)),
  );
}

function nothing({ search }) {
  return search ? `Nothing here is “${search}”.` : 'Nothing here.';
}
