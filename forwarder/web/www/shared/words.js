/** Amounts and times as people read them. */

const THIN_SPACE = '\u202f'; // narrow, and no line breaks at it

/** `2 100`: digits in threes, alike in every country. */
export function digits(number) {
  return String(number).replace(/\B(?=(\d{3})+(?!\d))/g, THIN_SPACE);
}

/** `2 100 sats`. */
export function sats(number) {
  return `${digits(number)} ${number === 1 ? 'sat' : 'sats'}`;
}

/** `4:07` left, of milliseconds. */
export function minutes(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** `14:05`, where the page is. */
export function timeOfDay(iso) {
  return new Date(iso).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}
