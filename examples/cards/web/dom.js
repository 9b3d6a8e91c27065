// SPDX-License-Identifier: MIT
// dom.js - makes elements without markup: text is inserted as text, so no title and no message is
// ever read as HTML.

const SVG = 'http://www.w3.org/2000/svg';

// Drawn in a square of 16, with a line width of 1.5.
const ICONS = {
  run: 'M5 3.2v9.6L12.6 8z',
  more: 'M3.5 8h.01M8 8h.01M12.5 8h.01',
  add: 'M8 3.5v9M3.5 8h9',
  check: 'M3.5 8.5l3 3 6-7',
  close: 'M4 4l8 8M12 4l-8 8',
};

// element('button', { class: 'quiet', type: 'button', text: 'Run' }, child, ...). A null property
// is left out; `on` has listeners, `data` has the data-* attributes.
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (name === 'text') node.textContent = value;
    else if (name === 'on') {
      for (const [type, listener] of Object.entries(value)) node.addEventListener(type, listener);
    } else if (name === 'data') {
      for (const [key, data] of Object.entries(value)) if (data !== null) node.dataset[key] = data;
    }
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter(Boolean));
  return node;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('class', `icon icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

// Writes only if the text differs: a write to a text node makes screen readers repeat it.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

export const shorten = (title) => (title.length > 48 ? `${title.slice(0, 47)}…` : title);
