/** Draws a small chart: bars or lines over evenly spaced times. */

const SVG = 'http://www.w3.org/2000/svg';
const HEIGHT = 168;
const LEFT = 52;
const TOP = 10;
const BOTTOM = 24;
const LABEL_EVERY = 76; // pixels that the label of a time needs

/**
 * @param {HTMLElement} host  whose width the chart takes
 * @param {object} data
 * @param {string} data.title  what a screen reader says of it
 * @param {string[]} data.labels  one a time
 * @param {{kind: 'bars' | 'line', values: (number | null)[]}[]} data.series
 * @param {(value: number) => string} data.format
 */
export function draw(host, { title, labels, series, format }) {
  const width = Math.max(280, host.clientWidth);
  const top = ceiling(Math.max(...series.flatMap(({ values }) => values.map(Number))));
  const step = (width - LEFT) / labels.length;
  const x = (index) => LEFT + (index + 0.5) * step;
  const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP);
  const svg = element('svg', { viewBox: `0 0 ${width} ${HEIGHT}`, role: 'img', 'aria-label': title });
  for (const value of [0, top / 2, top]) {
    svg.append(element('path', { class: 'grid', d: `M${LEFT} ${y(value)}H${width}` }));
    svg.append(text(format(value), { x: LEFT - 8, y: y(value) + 4, class: 'end' }));
  }
  const apart = Math.ceil((labels.length * LABEL_EVERY) / (width - LEFT));
  labels.forEach((label, index) => {
    if ((labels.length - 1 - index) % apart) return;
    const isLast = index === labels.length - 1;
    const place = { x: isLast ? width : x(index), y: HEIGHT - 6, class: isLast ? 'end' : 'middle' };
    svg.append(text(label, place));
  });
  for (const { kind, values } of series) {
    svg.append(...(kind === 'bars' ? [bars(values, x, y, step)] : line(values, x, y)));
  }
  host.replaceChildren(svg);
}

function bars(values, x, y, step) {
  const width = Math.min(28, step * 0.68);
  const rectangle = (value, index) =>
    `M${x(index) - width / 2} ${y(0)}V${y(value)}h${width}V${y(0)}z`;
  return element('path', { class: 'bars', d: values.map((v, i) => (v ? rectangle(v, i) : '')).join('') });
}

/** A line from point to point. What has no value has no point, and breaks the line. */
function line(values, x, y) {
  const points = values.map((value, index) => (value === null ? null : `${x(index)} ${y(value)}`));
  const moves = points.map((point, index) => point && `${points[index - 1] ? 'L' : 'M'}${point}`);
  const dots = points.map((point) => point && `M${point}h.01`);
  return [moves, dots].map((parts, index) =>
    element('path', { class: ['line', 'dots'][index], d: parts.filter(Boolean).join('') }),
  );
}

/** The next of 1, 2, 2.5, 5, 10, 20…: a scale that is read without thinking. */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(value || 1));
  return power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= value);
}

function text(content, attributes) {
  const made = element('text', attributes);
  made.textContent = content;
  return made;
}

function element(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
