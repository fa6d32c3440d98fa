/** The screen of one sale, from its order to its end. */

import { PaymentSocket } from '../payment-socket.js';
import { byId, show, write } from '../shared/dom.js';
import { sats } from '../shared/words.js';
import * as countdown from './countdown.js';
import { demo } from '../shared/demo.js';
import * as line from './line.js';
import * as till from './till.js';

// Every state of a sale: what it is called, what comes next, and how far it has come.
const WORDS = {
  making: ['Making the invoice…', 'One moment', 0],
  pending: ['Waiting for payment', 'Scan the code with a Lightning wallet', 1],
  paid: ['Paid', 'Now on its way to your wallet', 2],
  forwarded: ['Paid', 'It has arrived in your wallet', 3],
  expired: ['Expired', 'Nobody has paid in time', 1],
  cancelled: ['Cancelled', 'This invoice is not to be paid any more', 1],
};

const screen = byId('sale');
let current = null;

/** Set up the buttons; `onDone` is called when the cashier is done with a sale. */
export function setUp(onDone) {
  byId('cancel').addEventListener('click', () => current.cancel());
  byId('copy').addEventListener('click', copy);
  byId('customer-pays').addEventListener('click', () => demo.pay(byId('invoice').value));
  byId('new-sale').addEventListener('click', () => {
    leave();
    onDone();
  });
}

/** Show the sale of an order. Throws `CallError` if the service refuses it. */
export async function run(order, token, onDone) {
  leave();
  current = new Sale(order, token, onDone);
  await current.begin();
}

/** Stop following the sale that is shown. */
export function leave() {
  current?.leave();
  current = null;
}

class Sale {
  #order;
  #token;
  #onDone;
  #socket = null;
  #wanted = new AbortController();

  constructor(order, token, onDone) {
    this.#order = order;
    this.#token = token;
    this.#onDone = onDone;
  }

  async begin() {
    write(byId('sale-amount'), sats(this.#order.amountSat));
    write(byId('sale-note'), this.#order.description ?? '');
    byId('invoice').value = '';
    byId('qr').removeAttribute('src');
    this.#enter('making');
    byId('sale-amount').focus();
    const made = await this.#invoice();
    if (made) this.#wait(made);
  }

  leave() {
    this.#wanted.abort();
    this.#socket?.close();
    countdown.stop();
    line.follow('closed');
    line.troubled(null);
    line.announce('');
  }

  async cancel() {
    if (screen.dataset.state === 'making') return this.#giveUp();
    try {
      await till.cancel(this.#order.externalId, this.#token);
      if (screen.dataset.state === 'pending') this.#enter('cancelled');
    } catch (error) {
      // Paid in the same moment: the socket says so, too.
      if (error.code !== 'already_paid') write(byId('sale-hint'), error.message);
    }
  }

  #giveUp() {
    leave();
    this.#onDone();
  }

  async #invoice() {
    const { signal } = this.#wanted;
    const made = await till.invoice(this.#order, this.#token, signal, line.troubled);
    if (made) line.troubled(null);
    return made;
  }

  #wait({ externalId, token, invoice, amountSat, status, expiresAt }) {
    byId('qr').src = `api/invoice/${externalId}/qr.svg?token=${token}`;
    byId('qr').alt = `QR code of the Lightning invoice for ${sats(amountSat)}`;
    byId('invoice').value = invoice;
    countdown.start(expiresAt);
    this.#enter(status);
    this.#socket = new PaymentSocket({
      url: socketUrl(),
      externalId,
      token,
      maxAttempts: Infinity, // somebody stands there and waits
      onState: line.follow,
      onMessage: (message) => this.#hear(message),
    });
    this.#socket.open();
  }

  #hear(message) {
    if (message.type === 'notice') line.announce(message.message);
    const state = message.type === 'payment' ? 'paid' : message.type;
    if (!(state in WORDS)) return;
    if (state === 'paid') write(byId('sale-amount'), sats(message.amountSat));
    this.#enter(state);
  }

  #enter(state) {
    const [title, hint, step] = WORDS[state];
    const wasState = screen.dataset.state;
    screen.dataset.state = state;
    write(byId('sale-title'), title);
    write(byId('sale-hint'), hint);
    mark(step);
    const isWaiting = state === 'pending';
    for (const id of ['qr', 'time', 'invoice-field']) show(byId(id), isWaiting);
    show(byId('customer-pays'), isWaiting && demo !== null);
    show(byId('cancel'), isWaiting || state === 'making');
    show(byId('new-sale'), !isWaiting && state !== 'making');
    if (!isWaiting) countdown.stop();
    if (wasState === 'pending' && !isWaiting) byId('new-sale').focus();
  }
}

function mark(step) {
  for (const [index, item] of [...document.querySelectorAll('.steps li')].entries()) {
    item.classList.toggle('done', index < step);
    if (index === step - 1) item.setAttribute('aria-current', 'step');
    else item.removeAttribute('aria-current');
  }
}

async function copy() {
  const field = byId('invoice');
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    write(byId('copy'), 'Copied');
  } catch {
    // Without https a page may not write there: the text is selected, and one key copies it.
    write(byId('copy'), 'Selected');
  }
  setTimeout(() => write(byId('copy'), 'Copy'), 2_000);
}

function socketUrl() {
  const url = new URL('ws', document.baseURI);
  url.protocol = url.protocol.replace('http', 'ws');
  return url;
}
