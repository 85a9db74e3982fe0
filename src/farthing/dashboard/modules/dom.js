// Elements. Every text becomes a text node: nothing that somebody wrote is ever read as HTML.

export const byId = (id) => document.getElementById(id);

export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (name === "style") for (const [rule, text] of Object.entries(value)) element.style.setProperty(rule, text);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const card = (title, extra, ...children) =>
  el("section", { class: "card" }, el("header", {}, el("h2", {}, title), extra), ...children);

export const chip = (text, kind = "") => el("span", { class: `chip ${kind}` }, text);

// `columns` are [title, is it a number]; a cell is a text, an element or null.
export function table(caption, columns, rows) {
  const side = (index) => (columns[index][1] ? "number" : null);
  const heads = columns.map(([title], index) => el("th", { scope: "col", class: side(index) }, title));
  const cells = (row) => row.map((cell, index) => el("td", { class: side(index) }, cell ?? "–"));
  return el(
    "div",
    { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" },
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, heads)),
      el("tbody", {}, rows.map((row) => (row instanceof Element ? row : el("tr", {}, cells(row)))))
    )
  );
}

export const facts = (pairs) =>
  el("dl", { class: "facts" }, pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value ?? "–"))));

// A button that acts once it is pressed a second time, with what `act` or its refusal says beside it.
export function sureButton(title, question, act) {
  const said = el("span", { role: "status" });
  const button = el("button", { type: "button", on: { click: async () => {
    if (button.textContent !== question) return (button.textContent = question);
    button.disabled = true;
    try {
      said.textContent = ` ${await act()}`;
      button.remove();
    } catch (error) {
      said.textContent = ` ${error.message}`;
      button.disabled = false;
    }
  } } }, title);
  return el("p", {}, button, said);
}

const shown = new WeakMap();

// Fills a place anew where what it shows has changed, so that whoever reads or points there is not disturbed.
export function refill(place, data, build) {
  const text = JSON.stringify(data);
  if (shown.get(place) === text) return;
  shown.set(place, text);
  place.replaceChildren(...[build(data)].flat().filter((part) => part !== null && part !== undefined));
}
