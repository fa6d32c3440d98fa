/** How everything stands: the sums, and the state of what moves them. */

import { byId, make, write } from '../shared/dom.js';
import { digits, duration, sats, timeOfDay } from '../shared/words.js';

const WATCH = { open: 'open', connecting: 'connecting', closed: 'at rest' };

/** Show a status. */
export function show(status) {
  const { today, sats: all, forwards, oldestOutstandingSeconds: age } = status;
  write(byId('received'), sats(today.received));
  write(byId('received-hint'), count(today.payments, 'payment'));
  write(byId('forwarded'), sats(today.forwarded));
  write(byId('forwarded-hint'), `${digits(all.forwarded)} in all`);
  write(byId('held'), sats(all.held));
  write(byId('held-hint'), forwards.held ? 'a person is needed' : 'nobody is needed');
  byId('held-card').dataset.state = forwards.held ? 'held' : '';
  write(byId('oldest'), all.outstanding ? duration(age) : 'none');
  write(byId('oldest-hint'), all.outstanding ? `${sats(all.outstanding)} under way` : 'all is done');
  facts(status);
}

function facts({ subscription, blink, reconciliation, invoices, unmatched, websocket }) {
  const { lastRunAt, driftSats } = reconciliation;
  const told = {
    'Watch on Blink': WATCH[subscription.state],
    'Since': timeOfDay(subscription.since),
    'Handshakes left': budget(blink.handshakes),
    'Invoices left to make': budget(blink.creations),
    'Waiting to be paid': count(invoices.pending, 'invoice'),
    'Ledger compared': lastRunAt ? timeOfDay(lastRunAt) : 'not yet',
    'Drift': sats(driftSats),
    'Unmatched': unmatched.count ? `${count(unmatched.count, 'payment')}, ${sats(unmatched.sats)}` : 'none',
    'Pages connected': digits(websocket.clients),
  };
  const shown = Object.entries(told).map(([name, value]) =>
    make('div', {}, make('dt', {}, name), make('dd', {}, value)),
  );
  byId('facts').replaceChildren(...shown);
}

function budget({ left, of, seconds }) {
  return `${left} of ${of} in ${seconds} s`;
}

function count(number, noun) {
  return `${digits(number)} ${noun}${number === 1 ? '' : 's'}`;
}
