/** One sale: how it stands, what can be done, and every step that it took. */

import { byId, make, show } from '../shared/dom.js';
import { digits, moment, sats, spelled } from '../shared/words.js';
import { ask } from './ask.js';
import * as office from './office.js';

const panel = byId('sale');
let open = null;
let shown = '';

/** Show a payment. Throws `CallError`. */
export async function look(hash) {
  open = hash;
  await update();
  byId('sale-title').focus();
}

/** Read the open payment again, if there is one. Throws `CallError`. */
export async function update() {
  if (!open) return;
  const hash = open;
  const found = await office.payment(hash);
  const text = JSON.stringify(found);
  if (open !== hash || text === shown) return;
  shown = text;
  render(found);
}

/** Show no payment. */
export function close() {
  open = null;
  shown = '';
  show(panel, false);
  panel.replaceChildren();
}

/** Try a payment again, once that was confirmed; what came of it, or null. Throws `CallError`. */
export async function replay(hash) {
  const text = 'What is held or waits is tried again now. Pressing this twice pays nothing twice.';
  if (!(await ask({ title: 'Try again?', text, yes: 'Try again' }))) return null;
  const { replayed } = await office.replay(hash);
  return replayed.length ? 'It is being tried again.' : 'There was nothing to try again.';
}

/** Note that a payment was settled by hand, once that was confirmed. Throws `CallError`. */
export async function resolve(hash) {
  const text = 'The service will never pay this on. Say how it was settled: it is kept for good.';
  const fields = [{ name: 'note', label: 'Note', rows: 3, maxlength: 500 }];
  const answer = await ask({ title: 'Settled by hand?', text, fields, yes: 'It is settled' });
  if (!answer) return null;
  await office.resolve(hash, answer.note);
  return 'Kept as settled by hand.';
}

function render({ payment, invoice, timeline }) {
  panel.dataset.state = payment.state;
  const focused = document.activeElement?.id;
  panel.replaceChildren(
    heading(payment),
    actions(payment),
    ...problems(payment),
    facts(payment, invoice),
    make('h4', {}, 'What happened'),
    make('ol', { class: 'timeline' }, ...steps(timeline, payment.forwards.length > 1)),
  );
  show(panel);
  if (focused) document.getElementById(focused)?.focus();
}

function heading({ amountSat, receivedSat, state }) {
  return make(
    'h3',
    { id: 'sale-title', tabindex: '-1' },
    `${sats(receivedSat || amountSat)} `,
    make('span', { class: 'chip' }, state),
  );
}

function actions({ forwards, state }) {
  const canReplay = forwards.some((forward) => !['forwarded', 'resolved'].includes(forward.state));
  const buttons = [make('button', { type: 'button', id: 'close', 'data-action': 'close' }, 'Close')];
  if (canReplay) buttons.push(action('replay', 'Try again'));
  if (state === 'held') buttons.push(action('resolve', 'Settle by hand'));
  return make('div', { class: 'buttons' }, ...buttons);
}

function action(name, words) {
  return make('button', { type: 'button', id: name, 'data-action': name }, words);
}

function problems({ forwards }) {
  const reasons = forwards.map(({ heldReason, refusal }) => heldReason ?? refusal).filter(Boolean);
  return [...new Set(reasons)].map((reason) => make('p', { class: 'problem' }, reason));
}

function facts(payment, invoice) {
  const told = {
    Merchant: payment.merchant,
    Note: payment.description,
    'External id': payment.externalId,
    'Seen first by': payment.seenBy,
    Source: payment.source,
    'Payment hash': payment.paymentHash,
    'Transaction': payment.transactionId,
    Expires: invoice?.state === 'pending' ? moment(invoice.expiresAt) : null,
  };
  const rows = Object.entries(told).filter(([, value]) => value);
  return make('dl', {}, ...rows.flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]));
}

/** The steps; which of several forwards a step was of is said only where there are several. */
function steps(timeline, areSeveral) {
  const isTold = ([name]) => areSeveral || name !== 'position';
  return timeline.map(({ detail, ...entry }) =>
    step(entry, Object.entries(detail).filter(isTold), timeline[0].at),
  );
}

function step({ at, step: name, actor }, detail, begun) {
  return make(
    'li',
    {},
    make('p', {}, make('strong', {}, name), ` by ${actor}`),
    make('p', { class: 'hint' }, `${moment(at)} · ${after(at, begun)}`),
    make('p', { class: 'detail' }, detail.map(words).join(' · ')),
  );
}

function after(at, begun) {
  const seconds = (Date.parse(at) - Date.parse(begun)) / 1000;
  return `${seconds < 100 ? seconds.toFixed(3) : digits(Math.round(seconds))} s`;
}

function words([name, value]) {
  if (/sats?$/i.test(name)) return sats(value);
  return `${spelled(name)} ${value}`;
}
