/** The operator page: signing in and out, and what is brought up to date while it is open. */

import { CallError } from '../shared/http.js';
import { byId, show, write } from '../shared/dom.js';
import * as charts from './charts.js';
import * as office from './office.js';
import * as overview from './overview.js';
import * as payments from './payments.js';
import * as pulse from './pulse.js';
import * as sale from './sale.js';
import * as signIn from './sign-in.js';
import * as tools from './tools.js';

let opened = null;

signIn.setUp(enter);
charts.setUp();
payments.setUp((hash) => attempt(() => look(hash)), pulse.now);
byId('sign-out').addEventListener('click', () => leave());
byId('reconcile').addEventListener('click', () => attempt(tools.reconcile));
byId('export').addEventListener('click', () => attempt(tools.save));
byId('broadcast').addEventListener('click', () => attempt(tools.broadcast));
byId('sale').addEventListener('click', (event) => {
  const { action } = event.target.dataset;
  if (action === 'close') close();
  if (action === 'replay') attempt(() => sale.replay(opened));
  if (action === 'resolve') attempt(() => sale.resolve(opened));
});
leave();

function enter() {
  turnTo('office');
  byId('overview-title').focus();
  pulse.start(update);
}

function leave(reason) {
  office.use('');
  pulse.stop();
  close();
  payments.clear();
  charts.forget();
  turnTo('sign-in');
  signIn.ask(reason);
}

async function update() {
  try {
    overview.show(await office.status());
    await Promise.all([payments.update(), sale.update(), charts.update()]);
  } catch (error) {
    if (error.status !== 401) throw error;
    leave('The operator token is no longer good.');
  }
}

async function look(hash) {
  opened = hash;
  payments.select(hash);
  await sale.look(hash);
}

function close() {
  opened = null;
  payments.select(null);
  sale.close();
}

/** Do something, say what came of it, and show how everything stands then. */
async function attempt(action) {
  try {
    const outcome = await action();
    if (outcome) write(byId('outcome'), outcome);
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    write(byId('outcome'), error.message);
  }
  await pulse.now();
}

function turnTo(screen) {
  for (const id of ['sign-in', 'office']) show(byId(id), id === screen);
  show(byId('office-menu'), screen === 'office');
}
