/** What a till asks of the service, each call with the POS token. */

import { call } from '../shared/http.js';
import { now } from '../shared/clock.js';

const FIRST_WAIT = 1_000; // milliseconds
const LONGEST_WAIT = 10_000;
export const MOST_LISTED = 100;

/** A new order. Its name is made here, so that asking twice makes one invoice. */
export function newOrder(amountSat, description) {
  return { externalId: newName(), amountSat, ...(description && { description }) };
}

/**
 * The invoice of an order. An answer that is lost is asked for again, until there is one or
 * `signal` says that nobody wants it any more (then null). Throws `CallError` when refused.
 */
export async function invoice(order, token, signal, onTrouble) {
  for (let wait = FIRST_WAIT; !signal.aborted; wait = Math.min(LONGEST_WAIT, wait * 2)) {
    try {
      const made = await call('api/invoice', { method: 'POST', token, body: order });
      return signal.aborted ? null : made;
    } catch (error) {
      if (!error.isPassing) throw error;
      onTrouble(error);
      await pause(Math.max(wait, error.retryAfter), signal);
    }
  }
  return null;
}

/** Cancel a sale. Throws `CallError`: `already_paid` if the customer was faster. */
export function cancel(externalId, token) {
  return call(`api/invoice/${externalId}`, { method: 'DELETE', token });
}

/** The sales since midnight here, newest first. Throws `CallError`. */
export async function today(token) {
  const midnight = new Date(now());
  midnight.setHours(0, 0, 0, 0);
  const query = new URLSearchParams({ from: midnight.toISOString(), limit: MOST_LISTED });
  return (await call(`api/invoice?${query}`, { token })).invoices;
}

function newName() {
  // crypto.randomUUID is there only over https or on this machine, and a till may have neither.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
