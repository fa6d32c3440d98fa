/** The service's time: a till's own clock may be wrong by minutes, and an invoice's end is not. */

let ahead = 0; // milliseconds

/** Learn from the Date header of an answer. */
export function learn(date) {
  const theirs = Date.parse(date ?? '');
  // The header has whole seconds: less than that is no difference.
  if (Math.abs(theirs - Date.now()) >= 2_000) ahead = theirs - Date.now();
}

/** Milliseconds since 1970, as the service sees it. */
export function now() {
  return Date.now() + ahead;
}
