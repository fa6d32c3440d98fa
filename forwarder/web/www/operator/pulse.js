/** Keeps the page up to date while somebody looks at it, and says when it is not. */

import { CallError } from '../shared/http.js';
import { byId, write } from '../shared/dom.js';
import { timeOfDay } from '../shared/words.js';

const EVERY = 3_000; // milliseconds

let beat = null;
let timer = 0;
let lastSeen = null;

document.addEventListener('visibilitychange', now);
window.addEventListener('online', now);

/** Call `update` now and again, until `stop`. It may throw `CallError`. */
export function start(update) {
  beat = update;
  return now();
}

/** Nothing is updated any more. */
export function stop() {
  beat = null;
  clearTimeout(timer);
  write(byId('trouble'), '');
}

/** Update at once. */
export async function now() {
  clearTimeout(timer);
  if (!beat || document.hidden) return;
  const update = beat;
  try {
    await update();
    lastSeen = new Date();
    tell(true, '');
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    tell(false, since(error));
  }
  clearTimeout(timer);
  if (beat === update) timer = setTimeout(now, EVERY);
}

function tell(isFresh, trouble) {
  if (!beat) return;
  document.body.classList.toggle('stale', !isFresh);
  write(byId('pulse-text'), isFresh ? 'Live' : 'Out of reach');
  write(byId('trouble'), trouble);
}

function since(error) {
  const seen = lastSeen ? ` What you see is of ${timeOfDay(lastSeen)}.` : '';
  return `${error.message}${seen} Trying again…`;
}
