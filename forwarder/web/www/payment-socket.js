/**
 * Hears what happens to one invoice, for as long as its page wants to know.
 *
 *     const socket = new PaymentSocket({
 *       externalId, token,                       // as POST /api/invoice has answered
 *       onMessage: (message) => { if (message.type === 'payment') showPaid(message); },
 *     });
 *     socket.open();                             // and socket.close() when the page is done
 *
 * A connection that is lost comes back by itself: the service then tells what was missed, and what
 * was heard before is not told again.
 */

const FIRST_WAIT = 500; // milliseconds, as all times here; each further wait is twice as long
const LONGEST_WAIT = 15_000;
const ANSWER_WAIT = 8_000; // for the service to know the invoice
const PROBE_EVERY = 25_000; // a line can die without a sign; only asking shows it

// What the service says of an invoice that no further attempt would change.
const REFUSALS = new Set(['unauthorized', 'not_found', 'ambiguous', 'invalid_request']);

/** What a page is in: `closed` by its own wish, or `failed` after an error. */
export const STATES = ['closed', 'connecting', 'open', 'waiting', 'failed'];

export class PaymentSocket {
  #options;
  #state = 'closed';
  #error = null;
  #socket = null;
  #timer = 0;
  #attempts = 0;
  #heard = new Set();
  #resume = () => this.#look();

  /**
   * @param {object} options
   * @param {string} options.externalId  which invoice
   * @param {string} options.token  the token that came with it
   * @param {(message: object) => void} options.onMessage  `payment`, `forwarded`, `expired`,
   *     `cancelled`: each once; `subscription` and `notice`: as they come
   * @param {(state: string, error: Error | null) => void} [options.onState]  one of STATES, when it
   *     changes, and why
   * @param {string | URL} [options.url]  of `/ws`, unless this file comes from the service itself
   * @param {number} [options.maxAttempts]  in a row, before it gives up; the page's coming back to
   *     the foreground or the network begins a new row
   */
  constructor({ externalId, token, onMessage, onState, url, maxAttempts = 50 }) {
    this.#options = { externalId, token, onMessage, onState, url: url ?? besideUs(), maxAttempts };
  }

  get state() {
    return this.#state;
  }

  /** Why it is not connected; null while it is, or need not be. */
  get error() {
    return this.#error;
  }

  /** Connect, and stay connected until `close`. */
  open() {
    if (this.#state !== 'closed') return;
    document.addEventListener('visibilitychange', this.#resume);
    window.addEventListener('pageshow', this.#resume);
    window.addEventListener('online', this.#resume);
    this.#attempts = 0;
    this.#enter('connecting', null);
    // Who changes his mind at once, as React does while one develops, has connected to nothing.
    this.#wait(0, () => this.#connect());
  }

  /** Say goodbye. Nothing is told after this. */
  close() {
    this.#end('closed', null);
  }

  #connect() {
    this.#enter('connecting', this.#error);
    const socket = new WebSocket(this.#options.url);
    socket.onopen = () => this.#identify();
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    socket.onclose = () => this.#retry('the connection was lost');
    this.#socket = socket;
    this.#within(ANSWER_WAIT);
  }

  #identify() {
    const { externalId, token } = this.#options;
    this.#socket.send(JSON.stringify({ type: 'identify', externalId, token }));
    this.#within(ANSWER_WAIT);
  }

  #hear(message) {
    if (message.type === 'connected') return;
    if (message.type === 'identified') this.#welcome();
    else if (message.type === 'error') this.#refuse(message);
    else this.#tell(message);
  }

  #welcome() {
    this.#attempts = 0;
    this.#wait(PROBE_EVERY, () => this.#identify());
    this.#enter('open', null);
  }

  #refuse({ code, message }) {
    if (REFUSALS.has(code)) this.#end('failed', new Error(message));
    else this.#retry(message);
  }

  #tell(message) {
    if (this.#heard.has(message.id)) return;
    if (message.id) this.#heard.add(message.id);
    if (message.type === 'forwarded') this.close(); // nothing follows it
    this.#options.onMessage(message);
  }

  #retry(reason) {
    this.#drop();
    const error = new Error(reason);
    this.#attempts += 1;
    if (this.#attempts >= this.#options.maxAttempts) return this.#enter('failed', error);
    this.#wait(backoff(this.#attempts), () => this.#connect());
    this.#enter('waiting', error);
  }

  /** The page is looked at again, or the network is back: no time to lose. */
  #look() {
    if (document.visibilityState === 'hidden') return;
    if (this.#state === 'open') this.#identify();
    if (this.#state !== 'waiting' && this.#state !== 'failed') return;
    this.#attempts = 0;
    this.#connect();
  }

  #end(state, error) {
    document.removeEventListener('visibilitychange', this.#resume);
    window.removeEventListener('pageshow', this.#resume);
    window.removeEventListener('online', this.#resume);
    this.#drop();
    this.#enter(state, error);
  }

  #drop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    // What is not open yet would complain of being closed, so it first gets to be.
    socket.onopen = () => socket.close(1000);
    if (socket.readyState === WebSocket.OPEN) socket.close(1000);
  }

  #within(milliseconds) {
    this.#wait(milliseconds, () => this.#retry('the service does not answer'));
  }

  #wait(milliseconds, then) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, milliseconds);
  }

  #enter(state, error) {
    const isNews = state !== this.#state;
    this.#state = state;
    this.#error = error;
    if (isNews) this.#options.onState?.(state, error);
  }
}

/** Longer each time, and never quite the same: many tills must not come back as one. */
function backoff(attempts) {
  const longest = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempts - 1));
  return longest * (0.5 + Math.random() / 2);
}

function besideUs() {
  const url = new URL('ws', import.meta.url);
  url.protocol = url.protocol.replace('http', 'ws');
  return url;
}
