/**
 * What the operator asks of the service.
 *
 * The token lives in this variable and nowhere else: not in a URL, a cookie, or the browser's storage.
 */

import { call, download } from '../shared/http.js';

let token = '';

/** Use this token from now on; an empty one forgets it. */
export function use(given) {
  token = given;
}

/** The time zone that this office's day has. */
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

export const status = () => get('api/status', { zone });
export const figures = (by) => get('api/figures', { by, zone });
export const payments = (filter) => get('api/payments', filter);
export const payment = (hash) => get(`api/payments/${hash}`);

export const replay = (hash) => post(`api/payments/${hash}/replay`);
export const resolve = (hash, note) => post(`api/payments/${hash}/resolve`, { note });
export const reconcile = () => post('api/reconcile');
export const broadcast = (message) => post('api/broadcast', { message });

/** The forwards of the payments of a time, as a file. */
export const csv = (from, to) => download(`api/export.csv?${query({ from, to })}`, { token });

function get(path, parameters = {}) {
  return call(`${path}?${query(parameters)}`, { token });
}

function post(path, body) {
  return call(path, { method: 'POST', token, body });
}

function query(parameters) {
  return new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
}
