/** The time that is left to pay. The service alone says when it is over. */

import { now } from '../shared/clock.js';
import { byId, write } from '../shared/dom.js';
import { minutes } from '../shared/words.js';

const TICK = 250; // milliseconds

let timer = 0;

/** Count down to a time. */
export function start(expiresAt) {
  const end = Date.parse(expiresAt);
  const whole = Math.max(1, end - now());
  const tick = () => {
    write(byId('minutes-left'), minutes(end - now()));
    byId('time-left').value = Math.max(0, (end - now()) / whole);
  };
  stop();
  tick();
  timer = setInterval(tick, TICK);
}

/** Stop counting. */
export function stop() {
  clearInterval(timer);
}
