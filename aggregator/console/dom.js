/* dom.js - elements in one call. Text is always set as text, never as markup. */
const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) {
      continue;
    }
    if (name === "on") {
      element.hears = true;
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

function patch(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.hears || fresh.hears) {
    if (!old.isEqualNode(fresh)) {
      const hadFocus = old === document.activeElement;
      old.replaceWith(fresh);
      hadFocus && fresh.focus?.();
    }
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    old.data !== fresh.data && (old.data = fresh.data);
    return;
  }
  for (const { name } of [...old.attributes]) {
    name !== "style" && !fresh.hasAttribute(name) && old.removeAttribute(name);
  }
  for (const { name, value } of [...fresh.attributes]) {
    name !== "style" && old.getAttribute(name) !== value && old.setAttribute(name, value);
  }
  if (old.style.cssText !== fresh.style.cssText) {
    old.style.cssText = fresh.style.cssText;
  }
  renew(old, ...fresh.childNodes);
}

/* As replaceChildren, but what is the same stays: the focus, what is selected, where a screen reader reads. */
export function renew(parent, ...fresh) {
  const nodes = fresh.flat(Infinity).filter((node) => node !== null && node !== undefined && node !== false)
    .map((node) => (node instanceof Node ? node : document.createTextNode(String(node))));
  nodes.forEach((node, index) => {
    const old = parent.childNodes[index];
    if (old) {
      patch(old, node);
    } else {
      parent.append(node);
    }
  });
  while (parent.childNodes.length > nodes.length) {
    parent.lastChild.remove();
  }
}
