/**
 * What this device keeps: the POS token, and the order under way.
 *
 * An order is kept before it is sent, so that a page that is loaded again asks for the same invoice.
 */

const TOKEN = 'pos-token';
const ORDER = 'pos-order';

export const token = {
  read: () => localStorage.getItem(TOKEN),
  keep: (value) => localStorage.setItem(TOKEN, value),
};

export const order = {
  read: () => JSON.parse(localStorage.getItem(ORDER)),
  keep: (value) => localStorage.setItem(ORDER, JSON.stringify(value)),
  forget: () => localStorage.removeItem(ORDER),
};

/** Forget everything: the till is signed out. */
export function forget() {
  localStorage.removeItem(TOKEN);
  localStorage.removeItem(ORDER);
}
