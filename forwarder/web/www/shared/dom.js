/** The few things that every part of a page does to its document. */

/** The element of this id, which is there. */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/** Show an element, or hide it from everybody. */
export function show(element, isShown = true) {
  element.hidden = !isShown;
}

/** Set a text, unless it is there already: a screen reader says again what is set again. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A new element with attributes and children; a child that is no element is text. */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
