/** Amounts and times as people read them. */

const CLOCK = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
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

/** `14:05`, in the time of where the page is. */
export function timeOfDay(iso) {
  return new Date(iso).toLocaleTimeString([], CLOCK);
}

/** `12:04:07`, or `31 Jan 12:04:07` on another day. */
export function moment(iso) {
  const then = new Date(iso);
  const isToday = then.toDateString() === new Date().toDateString();
  const day = isToday ? {} : { day: 'numeric', month: 'short' };
  return then.toLocaleString([], { ...day, ...CLOCK, second: '2-digit' });
}

/** `3 min`: a length of time, to one unit. */
export function duration(seconds) {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3_600)} h`;
}

/** `2.1k`: a number where there is little room. */
export function short(number) {
  if (number >= 1e6) return `${+(number / 1e6).toFixed(1)}M`;
  if (number >= 1e3) return `${+(number / 1e3).toFixed(1)}k`;
  return String(+number.toPrecision(2));
}

/** `payout hash`, of `payoutHash`. */
export function spelled(name) {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
