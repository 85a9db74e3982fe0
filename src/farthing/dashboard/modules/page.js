// The page: its views, its filters, and when it asks anew.

import { byId, el } from "./dom.js";
import { budgets } from "./budgets.js";
import { cache } from "./cache.js";
import { redraw } from "./charts.js";
import { follow } from "./drawer.js";
import { experiments } from "./experiments.js";
import { Away, Refused, ask, useKey } from "./gateway.js";
import { listen } from "./live.js";
import { models } from "./models.js";
import * as notices from "./notices.js";
import { overview, segments } from "./overview.js";
import { RANGES, SUMMED, address, asked, changed, go, only, span, stretch, unfiltered, viewName } from "./place.js";
import { requests } from "./requests.js";

const VIEWS = { overview: ["Overview", overview], requests: ["Requests", requests], experiments: ["Experiments", experiments], cache: ["Cache", cache], models: ["Models", models], budgets: ["Budgets", budgets] };
const ALL_MS = 4000;
const IDLE_MS = 30_000;
const UNKNOWN = 401;
const THEMES = { light: "dark", dark: "light" };

const now = { view: null, place: null, name: null, asking: false, again: false, all: 0, late: false, figures: null, decisions: null };

function show() {
  const name = viewName() in VIEWS ? viewName() : "overview";
  byId("views").replaceChildren(...Object.entries(VIEWS).map(([one, [title]]) => el("a", { href: address({ view: one, request: null }), "data-goes": true, "aria-current": one === name ? "page" : null }, title)));
  filterBar(name);
  const query = asked();
  query.delete("request");
  const place = `${name}?${query}`;
  if (place !== now.place) {
    const isOther = name !== now.name;
    Object.assign(now, { place, name, all: 0 });
    if (isOther || name === "requests") now.view = VIEWS[name][1](byId("view"));
    document.title = name === "overview" ? "Farthing" : `${VIEWS[name][0]} – Farthing`;
    update();
  }
  follow();
}

function filterBar(view) {
  const query = asked();
  const range = query.get("range") ?? "month";
  const links = Object.entries(RANGES).map(([one, title]) => [title, one === range, changed({ range: one === "month" ? null : one, ...(one === "custom" ? {} : { from: null, to: null }) })]);
  const date = (name) => el("input", { type: "date", "aria-label": name, value: query.get(name), on: { change: (event) => go(changed({ [name]: event.target.value })) } });
  byId("filters").replaceChildren(...(view === "overview" ? narrowing() : []), segments("Time", links), ...(range === "custom" ? [date("from"), date("to")] : []));
}

// Whose figures are shown: everybody's, or those of one of a kind, which is chosen among those that have asked.
function narrowing() {
  const one = only();
  const known = el("datalist", { id: "known" });
  const name = el("input", { id: "whose", list: "known", autocomplete: "off", value: one?.value, hidden: !one, on: { change: () => go(changed({ ...unfiltered, [kind.value]: name.value.trim() || null })) } });
  const kind = el("select", { "aria-label": "Whose", on: { change: async () => {
    if (!kind.value) return go(changed(unfiltered));
    Object.assign(name, { value: "", hidden: false, placeholder: `which ${kind.value}` });
    name.focus();
    try {
      const { rows } = await ask("/v1/usage", { group_by: kind.value, ...span(stretch()) });
      known.replaceChildren(...rows.filter((row) => row.group !== null).map((row) => el("option", { value: row.group })));
    } catch (error) {
      refused(error);
    }
  } } }, el("option", { value: "" }, "All requests"), SUMMED.map((by) => el("option", { value: by, selected: by === one?.by }, `One ${by}`)));
  name.setAttribute("aria-label", "Which one");
  return [kind, name, known];
}

// Asks for everything that is due. While one question is under way the next waits, and only one.
async function update() {
  if (now.asking) {
    now.again = true;
    return;
  }
  now.asking = true;
  now.again = false;
  try {
    const isDue = Date.now() - now.all >= ALL_MS;
    now.late = !isDue;
    if (isDue) now.all = Date.now();
    await (isDue ? Promise.all([now.view.refresh(), states()]) : now.view.tick?.());
    byId("view").setAttribute("aria-busy", "false");
    notices.notice("error", "bad", null);
  } catch (error) {
    refused(error);
  } finally {
    now.asking = false;
  }
  if (now.again) update();
}

async function states() {
  const told = await ask("/health");
  notices.health(told);
  byId("foot").replaceChildren(`Amounts are US dollars, times UTC. Savings are against the baseline model with the same tokens. ${priced(told.prices)} Farthing ${told.version}`);
}

function priced({ source, newest }) {
  return `Prices are of ${source}${newest ? `, the newest of ${newest}` : ""}.`;
}

function refused(error) {
  if (error instanceof Away) {
    Object.assign(now, { all: 0, decisions: null });
    return notices.notice("error", "bad", "The gateway does not answer at the moment. The page goes on by itself when it does.");
  }
  if (!(error instanceof Refused)) throw error;
  if (error.status !== UNKNOWN) return notices.notice("error", "bad", error.message);
  if (byId("key")) return;
  const field = el("input", { id: "key", type: "password", autocomplete: "off", required: true });
  const open = (event) => {
    event.preventDefault();
    useKey(field.value);
    Object.assign(now, { place: null, name: null });
    byId("view").replaceChildren();
    show();
  };
  byId("view").replaceChildren(el("form", { class: "card door", on: { submit: open } }, el("h1", {}, "This gateway needs a key."), el("p", {}, error.message),
    el("label", {}, "Key", field), el("button", { type: "submit" }, "Open"), el("p", { class: "note" }, "It stays in this page, and is forgotten with it.")));
  field.focus();
}

function heard(message) {
  if (message.type === "error") return notices.notice("error", "bad", message.error.message);
  if (message.total_decisions === undefined) {
    now.all = 0;
  } else {
    notices.isDemo(message.demo);
    notices.isStale(message);
    pulse(message);
    if (isOld(message)) return;
  }
  if (document.visibilityState === "visible") update();
}

// Whether nothing was asked since the last figures: then all else is as it was, but for results of experiments from outside.
function isOld(message) {
  const isSame = message.total_decisions === now.decisions;
  now.decisions = message.total_decisions;
  return isSame && !now.late && now.name !== "experiments" && Date.now() - now.all < IDLE_MS;
}

function pulse(message) {
  const at = Date.now();
  const before = now.figures;
  if (!before || at - before.at > ALL_MS) now.figures = { at, decisions: message.total_decisions, rate: before ? (1000 * (message.total_decisions - before.decisions)) / (at - before.at) : null };
  const rate = now.figures.rate;
  byId("pulse").textContent = rate === null ? "live" : `live · ${rate.toFixed(1)} req/s`;
}

function stood(state) {
  byId("pulse").classList.toggle("away", state !== "live");
  if (state !== "live") byId("pulse").textContent = state;
}

addEventListener("popstate", show);
addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-goes]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
addEventListener("keydown", (event) => {
  const act = now.view?.keys?.[event.key];
  const isTyped = event.target.closest("input, select, textarea, button, dialog, [contenteditable]");
  if (!act || isTyped || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
});
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && update());

const dark = matchMedia("(prefers-color-scheme: dark)");
const theme = () => document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");

function wear(name) {
  if (name in THEMES) document.documentElement.dataset.theme = name;
  redraw();
}

byId("theme").addEventListener("click", () => {
  localStorage.setItem("theme", THEMES[theme()]);
  wear(THEMES[theme()]);
});
dark.addEventListener("change", redraw);

wear(localStorage.getItem("theme"));
show();
listen(heard, stood);
