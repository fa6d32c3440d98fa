/** What there is to help in a demo; `forwarder demo` serves another file in place of this one. */

export const demo = null;
