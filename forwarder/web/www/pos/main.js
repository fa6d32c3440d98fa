/** The POS page: which screen is shown, and what leads from one to the next. */

import { byId, show } from '../shared/dom.js';
import * as day from './day.js';
import * as keypad from './keypad.js';
import * as line from './line.js';
import * as memory from './memory.js';
import * as sale from './sale.js';
import * as signIn from './sign-in.js';
import { newOrder } from './till.js';

const SCREENS = ['sign-in', 'keypad', 'sale'];

signIn.setUp((token) => {
  memory.token.keep(token);
  openTill();
});
keypad.setUp((amountSat, note) => sell(newOrder(amountSat, note)));
sale.setUp(finish);
line.setUp();
byId('sign-out').addEventListener('click', () => signOut());

if (!memory.token.read()) signOut();
else if (memory.order.read()) sell(memory.order.read());
else openTill();

function openTill() {
  turnTo('keypad');
  keypad.clear();
  day.refresh(memory.token.read());
}

/** Follow an order until the cashier is done with it. */
async function sell(order) {
  memory.order.keep(order);
  turnTo('sale');
  try {
    await sale.run(order, memory.token.read(), finish);
  } catch (error) {
    refused(error);
  }
}

function finish() {
  memory.order.forget();
  openTill();
}

function refused(error) {
  sale.leave();
  memory.order.forget();
  if (error.status === 401) return signOut('This POS token is no longer good.');
  turnTo('keypad');
  return keypad.complain(error.message);
}

function signOut(reason) {
  sale.leave();
  memory.forget();
  turnTo('sign-in');
  signIn.ask(reason);
}

function turnTo(screen) {
  for (const id of SCREENS) show(byId(id), id === screen);
  show(byId('till-menu'), screen !== 'sign-in');
  show(byId('to-day'), screen === 'keypad');
  show(byId('day'), screen === 'keypad');
}
