/** The sales of the day on this till. */

import { byId, make, write } from '../shared/dom.js';
import { sats, timeOfDay } from '../shared/words.js';
import { MOST_LISTED, today } from './till.js';

const WORDS = {
  pending: 'waiting',
  paid: 'paid',
  forwarded: 'forwarded',
  expired: 'expired',
  cancelled: 'cancelled',
};

/** Read the list anew; what cannot be read leaves the old one. */
export async function refresh(token) {
  let sales;
  try {
    sales = await today(token);
  } catch (error) {
    write(byId('day-hint'), error.message);
    return;
  }
  byId('day-sales').replaceChildren(...sales.map(row));
  write(byId('day-sum'), summary(sales));
  write(byId('day-hint'), hint(sales));
}

function row({ paidAt, status, amountSat }) {
  return make(
    'tr',
    { 'data-state': status },
    make('td', {}, paidAt ? timeOfDay(paidAt) : '–'),
    make('td', {}, make('span', { class: 'chip' }, WORDS[status])),
    make('td', {}, sats(amountSat)),
  );
}

function summary(sales) {
  const paid = sales.filter(({ paidAt }) => paidAt);
  const sum = paid.reduce((total, { amountSat }) => total + amountSat, 0);
  return `${sats(sum)} in ${paid.length} ${paid.length === 1 ? 'sale' : 'sales'}`;
}

function hint(sales) {
  if (sales.length === 0) return 'No sales yet.';
  return sales.length < MOST_LISTED ? '' : `The newest ${MOST_LISTED} are shown and summed.`;
}
