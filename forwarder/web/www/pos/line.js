/** One line at the top: that the service is out of reach, or what its operator has to say. */

import { byId, write } from '../shared/dom.js';

const WORDS = {
  waiting: 'Reconnecting… A payment is noticed all the same.',
  failed: 'No connection. Come back to this page to try again.',
};

let socket = 'closed';
let trouble = null;
let notice = '';

/** Follow the network of this device. */
export function setUp() {
  window.addEventListener('online', render);
  window.addEventListener('offline', render);
  render();
}

/** The state of the connection of the sale that is shown. */
export function follow(state) {
  if (state === 'connecting' && socket === 'waiting') return; // an attempt is no news
  socket = state;
  render();
}

/** A call that is being tried again, and why; null when it has succeeded. */
export function troubled(error) {
  const answered = 'No invoice can be made just now. Trying again…';
  trouble = error && (error.status ? answered : `${error.message} Trying again…`);
  render();
}

/** What the operator tells every till. */
export function announce(message) {
  notice = message;
  render();
}

function render() {
  const offline = navigator.onLine ? '' : 'Offline. What is under way goes on when you are back.';
  write(byId('line'), offline || trouble || WORDS[socket] || notice);
}
