/** What the operator can do to the whole: compare the ledgers, export, and tell every page. */

import { make } from '../shared/dom.js';
import { sats } from '../shared/words.js';
import { ask } from './ask.js';
import * as office from './office.js';

/** Compare the sources' ledgers with ours, and say what was found. Throws `CallError`. */
export async function reconcile() {
  const text = "The sources' own ledgers are read and compared with ours. What was missed is taken in.";
  if (!(await ask({ title: 'Reconcile now?', text, yes: 'Reconcile' }))) return null;
  const { clean, entries, missed, driftSats } = await office.reconcile();
  if (clean) return `Compared ${entries} entries: everything agrees.`;
  return `Compared ${entries} entries: ${missed} had been missed, and the sums differ by ${sats(driftSats)}.`;
}

/** Save the forwards of some days as a file. Throws `CallError`. */
export async function save() {
  const today = new Date().toLocaleDateString('sv'); // Sweden writes 2026-01-31
  const fields = [
    { name: 'from', label: 'From', type: 'date', value: today },
    { name: 'to', label: 'Up to and with', type: 'date', value: today },
  ];
  const text = 'One line a forward, of the payments that arrived in these days.';
  const days = await ask({ title: 'Export', text, fields, yes: 'Save as CSV' });
  if (!days) return null;
  const file = await office.csv(midnight(days.from), midnight(days.to, 1));
  offer(file, `forwards-${days.from}-${days.to}.csv`);
  return 'The file is saved.';
}

/** Tell every connected page something. Throws `CallError`. */
export async function broadcast() {
  const fields = [{ name: 'message', label: 'Message', rows: 3, maxlength: 500 }];
  const text = 'It is shown on every till that is connected now.';
  const answer = await ask({ title: 'Broadcast', text, fields, yes: 'Tell them' });
  if (!answer) return null;
  const { pages } = await office.broadcast(answer.message);
  return `${pages} ${pages === 1 ? 'page was' : 'pages were'} told.`;
}

function midnight(day, more = 0) {
  const [year, month, date] = day.split('-').map(Number);
  return new Date(year, month - 1, date + more).toISOString();
}

function offer(file, name) {
  const link = make('a', { href: URL.createObjectURL(file), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
