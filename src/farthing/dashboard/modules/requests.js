// The ledger, newest first, by time and filters.

import { byId, card, el } from "./dom.js";
import { ask } from "./gateway.js";
import { keysHint, showRows, step } from "./ledger.js";
import { FILTERS, changed, filters, go, span, stretch, unfiltered } from "./place.js";

const PAGE = 50;
const STATUSES = ["", "ok", "cached", "error", "cancelled", "interrupted", "rejected"];

export function requests(host) {
  const rows = el("div");
  const more = el("button", { type: "button", hidden: true, on: { click: () => load(state.next) } }, "Older ones");
  const state = { rows: [], next: null, paused: false, isLong: false };
  const hint = el("div", {}, keysHint(false));
  host.replaceChildren(el("h1", {}, "Requests"), form(), card("The ledger", hint, rows, more));
  const load = async (cursor) => {
    const { data, next_cursor: next } = await ask("/v1/requests", { limit: PAGE, ...span(stretch()), ...filters(), ...(cursor ? { cursor } : {}) });
    Object.assign(state, { rows: cursor ? [...state.rows, ...data] : data, next, isLong: Boolean(cursor) });
    if (state.rows.length) showRows(rows, state.rows, { caption: "The ledger", days: true });
    else rows.replaceChildren(el("p", { class: "waiting" }, "No request of this time is like that."));
    more.hidden = next === null;
  };
  // Who has asked for older ones reads, and is not thrown back to the newest.
  const tick = () => (state.paused || state.isLong ? null : load(null));
  return {
    refresh: tick,
    tick,
    keys: { j: () => step(rows, 1), k: () => step(rows, -1), " ": () => {
      state.paused = !state.paused;
      hint.replaceChildren(keysHint(state.paused));
    } },
  };
}

function form() {
  const now = filters();
  const choose = (event) => {
    event.preventDefault();
    const given = Object.fromEntries(FILTERS.map((name) => [name, byId(`filter-${name}`).value.trim() || null]));
    go(changed(given));
  };
  const field = (name) => el("label", {}, name, name === "status"
    ? el("select", { id: "filter-status", on: { change: choose } }, STATUSES.map((one) => el("option", { value: one, selected: one === (now.status ?? "") }, one || "any")))
    : el("input", { id: `filter-${name}`, value: now[name] ?? null, placeholder: name === "tag" ? "name=value" : "any", autocomplete: "off" }));
  return el("form", { class: "finder", "aria-label": "Which requests", on: { submit: choose } }, FILTERS.map(field),
    el("button", { type: "submit" }, "Find"), Object.keys(now).length ? el("a", { href: changed(unfiltered), "data-goes": true }, "Clear") : null);
}
