/** The two charts, each with its numbers in a table beside it. */

import { byId, make } from '../shared/dom.js';
import { digits, short, timeOfDay } from '../shared/words.js';
import { draw } from './chart.js';
import * as office from './office.js';

const FRESH = 30_000; // milliseconds; the charts change slowly

let drawn = 0;
let figures = [];

/** Redraw when the span or the width of the page changes. */
export function setUp() {
  byId('span').addEventListener('change', () => update(true));
  new ResizeObserver(render).observe(byId('volume'));
}

/** Read the figures, unless those that are shown are fresh. Throws `CallError`. */
export async function update(isForced = false) {
  if (!isForced && Date.now() - drawn < FRESH) return;
  figures = (await office.figures(byId('span').value)).figures;
  drawn = Date.now();
  render();
}

/** Draw anew at the next update. */
export function forget() {
  drawn = 0;
}

function render() {
  if (figures.length === 0) return;
  const labels = figures.map(({ from }) => label(from));
  const of = (name) => figures.map((figure) => figure[name]);
  const sum = of('receivedSat').reduce((total, value) => total + value, 0);
  draw(byId('volume'), {
    title: `Sats received: ${digits(sum)} in all`,
    labels,
    series: [{ kind: 'bars', values: of('receivedSat') }],
    format: short,
  });
  draw(byId('speed'), {
    title: 'Seconds from paid to forwarded: the median, and what 19 of 20 were faster than',
    labels,
    series: [
      { kind: 'line', values: of('slowSeconds') },
      { kind: 'line', values: of('medianSeconds') },
    ],
    format: (seconds) => `${short(seconds)} s`,
  });
  tabulate('volume-table', ['Payments', 'Sats'], labels, [of('payments'), of('receivedSat')]);
  tabulate('speed-table', ['Median', '19 of 20'], labels, [of('medianSeconds'), of('slowSeconds')]);
}

function tabulate(id, names, labels, columns) {
  const head = ['From', ...names].map((name) => make('th', { scope: 'col' }, name));
  const rows = labels.map((text, index) => {
    const cells = columns.map((values) => make('td', {}, values[index] === null ? '–' : digits(values[index])));
    return make('tr', {}, make('th', { scope: 'row' }, text), ...cells);
  });
  byId(id).replaceChildren(
    make('table', {}, make('thead', {}, make('tr', {}, ...head)), make('tbody', {}, ...rows)),
  );
}

function label(iso) {
  if (byId('span').value === 'hour') return timeOfDay(iso);
  return new Date(iso).toLocaleDateString([], { day: 'numeric', month: 'short' });
}
