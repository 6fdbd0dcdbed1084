/* dom.js - elements in one call. Text is always set as text, never as markup. */
const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) {
      continue;
    }
    if (name === "on") {
      Object.entries(value).forEach(([event, hear]) => element.addEventListener(event, hear));
    } else if (name === "vars") { /* widths and the like: the CSSOM is open where style attributes are not */
      Object.entries(value).forEach(([property, text]) => element.style.setProperty(`--${property}`, text));
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/* el("p", {class: "note", on: {click}}, "text", el("b", …)) */
export const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

let last = 0;
export const newId = (what) => `${what}-${++last}`;
