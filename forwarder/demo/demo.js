/** What there is to help in a demo: tokens filled in, and a customer at the press of a button. */

import { call } from './http.js';

export const demo = {
  posToken: async () => (await call('demo/tokens')).posToken,
  operatorToken: async () => (await call('demo/tokens')).operatorToken,
  pay: (paymentRequest) => call('demo/pay', { method: 'POST', body: { paymentRequest } }),
};
