/**
 * A React hook that says when an invoice is paid, and whether the line to the service stands.
 *
 *     const { isConnected, error } = usePaymentWebSocket({
 *       externalId, token,                       // as POST /api/invoice has answered
 *       onPaymentReceived: (payment) => setPaid(payment),
 *       enabled: !paid,
 *     });
 */

import { useEffect, useRef, useState } from 'react';

import { PaymentSocket } from './payment-socket.js';

const APART = { isConnected: false, error: null };

/**
 * @param {object} options
 * @param {string | undefined} options.externalId  which invoice; none, none is watched
 * @param {string | undefined} options.token  the token that came with it
 * @param {(payment: object) => void} options.onPaymentReceived  called once for a payment
 * @param {boolean} [options.enabled]  whether to watch at all
 * @param {string | URL} [options.url]  of `/ws`, unless this file comes from the service itself
 * @param {number} [options.maxAttempts]  in a row, before it gives up
 * @returns {{isConnected: boolean, error: Error | null}}
 */
export function usePaymentWebSocket({
  externalId,
  token,
  onPaymentReceived,
  enabled = true,
  url,
  maxAttempts,
}) {
  const [connection, setConnection] = useState(APART);
  const heard = useRef(new Set()); // outlives a socket: being enabled again repeats nothing
  const receive = useRef(onPaymentReceived);
  const address = url?.toString();

  useEffect(() => {
    receive.current = onPaymentReceived; // a new function is no reason to connect anew
  });

  useEffect(() => {
    if (!enabled || !externalId) return undefined;
    const socket = new PaymentSocket({
      externalId,
      token,
      url: address,
      maxAttempts,
      onState: (state, error) => setConnection({ isConnected: state === 'open', error }),
      onMessage: (message) => {
        if (message.type !== 'payment' || heard.current.has(message.id)) return;
        heard.current.add(message.id);
        receive.current(message);
      },
    });
    socket.open();
    return () => socket.close();
  }, [externalId, token, enabled, address, maxAttempts]);

  return connection;
}
