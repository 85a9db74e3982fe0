// What is looked at, all of which stands in the address: the view, the time, and filters.

import { day } from "./words.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
export const RANGES = { "24h": "24 h", "7d": "7 d", month: "Month", "30d": "30 d", custom: "Custom" };
export const FILTERS = ["status", "model", "provider", "key", "team", "user", "session", "tag"];
// Of one of these at a time the gateway keeps sums.
export const SUMMED = ["team", "key", "tag", "model", "user", "provider"];
const KEPT = ["range", "from", "to", ...FILTERS];

export const asked = () => new URLSearchParams(location.search);
export const viewName = () => asked().get("view") ?? "overview";

// The address of another view with the same time and filters, and with these changes; null takes one away.
export function address(changes) {
  const before = asked();
  const after = new URLSearchParams();
  if (changes.view && changes.view !== "overview") after.set("view", changes.view);
  for (const name of KEPT) if (before.has(name)) after.set(name, before.get(name));
  for (const [name, value] of Object.entries(changes)) {
    if (name === "view") continue;
    if (value === null || value === "") after.delete(name);
    else after.set(name, value);
  }
  const text = after.toString();
  return text ? `/?${text}` : "/";
}

// The same view with these changes.
export const changed = (changes) => address({ view: viewName(), ...kept(["group", "sum", "experiment"]), ...changes });

function kept(names) {
  const now = asked();
  return Object.fromEntries(names.filter((name) => now.has(name)).map((name) => [name, now.get(name)]));
}

export function go(to) {
  history.pushState(null, "", to);
  dispatchEvent(new PopStateEvent("popstate"));
}

const iso = (ms) => new Date(ms).toISOString();

// The time that is asked for as parameters of the gateway, and in words.
export function stretch(now = Date.now()) {
  const query = asked();
  const range = query.get("range") ?? "month";
  const today = new Date(now);
  const begin = Date.UTC(today.getUTCFullYear(), today.getUTCMonth(), 1);
  if (range === "24h") return { from: iso(now - DAY_MS), words: "The last 24 hours", by: "hour" };
  if (range === "7d") return { from: iso(now - 7 * DAY_MS), words: "The last 7 days", by: "day" };
  if (range === "30d") return { from: iso(now - 30 * DAY_MS), words: "The last 30 days", by: "day" };
  if (range === "custom" && query.get("from") && query.get("to")) {
    const [from, to] = [query.get("from"), query.get("to")];
    return { from, to: iso(Date.parse(to) + DAY_MS), words: `${day(from)} to ${day(to)}`, by: from === to ? "hour" : "day" };
  }
  return { from: iso(begin), words: null, by: "day" };
}

export const span = ({ from, to }) => (to ? { from, to } : { from });

export const filters = () => kept(FILTERS);
export const unfiltered = Object.fromEntries(FILTERS.map((name) => [name, null]));

// The one filter whose sums are kept, or null where there is none or another beside it.
export function only() {
  const [first, ...more] = Object.entries(filters());
  return first && !more.length && SUMMED.includes(first[0]) ? { by: first[0], value: first[1] } : null;
}
