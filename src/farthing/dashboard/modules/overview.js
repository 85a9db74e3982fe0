// The overview: from the answer to its proof, to its cause, to the details.

import { card, el, refill, table } from "./dom.js";
import { paidChart } from "./charts.js";
import { decision } from "./decision.js";
import { ask, askIfAllowed, save } from "./gateway.js";
import { keysHint, showRows, step, teamOf } from "./ledger.js";
import * as notices from "./notices.js";
import { address, asked, changed, filters, only, span, stretch, unfiltered } from "./place.js";
import { figure, term } from "./terms.js";
import { trial, verdictChip } from "./trials.js";
import { whatIf } from "./whatif.js";
import { count, dollars, duration, monthName, percent, plural, signed, timeOfDay } from "./words.js";

const SHOWN = 12;
const FEW = 30;
const FORECAST_MS = 60_000;
const GROUPS = { team: "team", key: "key", tag: "tag", model: "model", user: "user" };
const SOURCES = { routing: "Routing", answer_cache: "Answer cache", prompt_cache: "Prompt caching", batch: "Batch", overhead: "Judge & overhead" };

export function overview(host) {
  const places = Object.fromEntries(["first", "answer", "figures", "paid", "sources", "trial", "why", "rows", "groups"].map((name) => [name, el("div", { class: name })]));
  const state = { paused: false };
  const hint = el("div", {}, keysHint(false));
  host.replaceChildren(places.first, places.answer, places.figures, pair("wide", places.paid, places.sources), pair("even", places.trial, places.why), pair("wide", card("Live requests", hint, places.rows), places.groups), whatIf());
  const latest = async () => {
    if (state.paused) return;
    const { data } = await ask("/v1/requests", { limit: SHOWN, ...filters() });
    places.added = added(data);
    showRows(places.rows, data, { caption: "The last requests" });
    await Promise.all([beginnings(host, places.first, data.length === 0 && !Object.keys(filters()).length), why(places.why, data)]);
  };
  return {
    async refresh() {
      lookAhead(places);
      await latest();
      await Promise.all([money(places), spending(places.groups), experiment(places.trial)]);
    },
    tick: latest,
    keys: { j: () => step(places.rows, 1), k: () => step(places.rows, -1), " ": () => {
      state.paused = !state.paused;
      hint.replaceChildren(keysHint(state.paused));
    } },
  };
}

const pair = (kind, ...parts) => el("div", { class: `pair ${kind}` }, parts);

async function money(places) {
  const [time, one] = [stretch(), only()];
  const [usage, all, budgets] = await Promise.all([
    ask("/v1/usage", { group_by: time.by, ...span(time), ...filtered() }),
    one ? null : ask("/v1/savings", span(time)),
    askIfAllowed("/admin/budgets", { limit: 100 }),
  ]);
  const saved = all ?? savedOf(usage.total);
  notices.isDemo(usage.demo);
  notices.unpriced(saved.unpriced_requests);
  notices.budgets(budgets?.data ?? []);
  const words = `${time.words ?? `${monthName(time.from)} so far`}${one ? `, ${one.by} ${one.value}` : ""}`;
  const bounds = budgets && budgets.data.filter((budget) => !one || (budget.scope === one.by && budget.subject === one.value));
  places.told = { words, saved: amounts(saved), total: usage.total, one, budgets: bounds, month: time.words ? null : time.from.slice(0, 7), ignored: one ? [] : Object.keys(filters()) };
  showAnswer(places);
  refill(places.figures, { saved: amounts(saved), total: usage.total, added: places.added }, figures);
  refill(places.sources, amounts(saved), sources);
  await paid(places.paid, usage, time);
}

function filtered() {
  const one = only();
  return one ? { [one.by]: one.value } : {};
}

// What was saved as the sums of one value tell it: what it was saved by, and what was measured, is kept of all alone.
const savedOf = ({ cost, baseline_cost, savings, unpriced_requests }) =>
  ({ actual_cost: cost, baseline_cost, saved: savings, unpriced_requests, percent: baseline_cost ? (100 * savings) / baseline_cost : 0, by_source: null, measured: null });

const showAnswer = (places) => places.told && refill(places.answer, { ...places.told, forecast: places.forecast ?? null }, answer);

// Nothing waits for the forecast: it takes longest, and is another only tomorrow.
async function lookAhead(places) {
  if (Date.now() - (places.foretold ?? 0) < FORECAST_MS) return;
  places.foretold = Date.now();
  try {
    places.forecast = await askIfAllowed("/v1/forecast");
    showAnswer(places);
  } catch {
    places.foretold = 0;
  }
}

// What is told of savings but for the moments, which are others each time.
const amounts = ({ from, to, ...rest }) => rest;

function answer({ words, saved, total, one, budgets, forecast, month, ignored }) {
  const lead = total.requests === 0 ? [`${words}: nothing was asked, so nothing was spent.`]
    : saved.saved > 0 ? [`${words}: `, el("span", { class: "saved" }, `${dollars(saved.saved)} saved`), `, ${percent(saved.percent / 100)} less than you would have paid.`]
    : [`${words}: ${dollars(saved.actual_cost)} spent, and nothing saved yet.`];
  return el(
    "section",
    { class: "card hero" },
    el("div", {}, el("h1", {}, lead), el("p", {}, proof(saved, total)),
      ignored.length ? el("p", {}, `These are the sums of all requests: none are kept by ${ignored.join(" and ")}${ignored.length > 1 ? " together" : ""}. `, el("a", { href: changed(unfiltered), "data-goes": true }, "Clear")) : null,
      saved.measured ? el("p", {}, measured(saved.measured)) : null, month && !one ? reports(month) : null),
    budgetOf(budgets, forecast, one)
  );
}

function proof(saved, total) {
  if (total.requests === 0) return "Choose another time above, or send a request.";
  const counted = `Counted over ${plural(total.requests, "request")}: the same tokens at the baseline model's prices, less what was paid.`;
  return total.requests < FEW ? `${counted} That is little data: read it as a beginning.` : counted;
}

// What those requests tell that the baseline answered by chance.
function measured({ saved, interval, quality, requests, note }) {
  if (note !== null) return note;
  const money = `Measured against ${plural(requests.held_back, "request")} that the baseline answered by chance: routing saved ${dollars(saved)} (95%: ${dollars(interval[0])} to ${dollars(interval[1])}). `;
  if (quality.note !== null) return money + quality.note;
  const points = (share) => `${share > 0 ? "+" : share < 0 ? "−" : ""}${Math.abs(100 * share).toFixed(1)}`;
  return `${money}Quality changed by ${points(quality.difference)} points of 100 (${points(quality.difference_interval[0])} to ${points(quality.difference_interval[1])}).`;
}

function reports(month) {
  const said = el("span", { role: "status" });
  const take = (format, ending) => el("button", { type: "button", class: "plain", on: { click: () => save(`/reports/${month}?format=${format}`, `farthing-${month}.${ending}`).catch((error) => (said.textContent = ` ${error.message}`)) } }, format.toUpperCase());
  return el("p", { class: "reports" }, "This month as a report: ", take("pdf", "pdf"), " ", take("csv", "csv"), " ", take("focus", "focus.csv"), said);
}

// Budgets are null for whoever may not see them.
function budgetOf(budgets, forecast, one) {
  if (!budgets) return el("div", { class: "budget" }, one ? null : ahead(forecast));
  const open = budgets.filter((budget) => budget.limit > 0).sort((one, other) => other.spent / other.limit - one.spent / one.limit);
  if (!open.length && one) return el("div", { class: "budget" }, el("p", { class: "note" }, `No budget of its own bounds ${one.by} ${one.value}.`));
  if (!open.length) return el("div", { class: "budget" }, ...ahead(forecast), el("p", { class: "note" }, "No budget is set: ", el("code", {}, "farthing budgets create")));
  const [budget] = open;
  const share = budget.spent / budget.limit;
  const told = forecast?.budgets.find((known) => known.budget_id === budget.budget_id) ?? (one ? null : forecast);
  const due = told?.limit ? Math.max(0, Math.min(told.forecast / told.limit, 1) - share) : 0;
  const width = (part) => ({ width: percent(Math.min(part, 1), 1) });
  return el(
    "div",
    { class: "budget" },
    term("budget"),
    el("p", { class: "value" }, el("a", { href: address({ view: "budgets" }), "data-goes": true }, dollars(budget.spent)), el("small", {}, ` of ${dollars(budget.limit)}`)),
    el("div", { class: `meter ${share >= 1 ? "bad" : ""}`, role: "img", "aria-label": `${percent(share)} spent` }, el("i", { style: width(share) }), el("i", { class: "ahead", style: width(due) })),
    el("p", { class: "note" }, `${budget.name ?? budget.subject ?? budget.scope}, by ${budget.window}: ${percent(share)} spent${open.length > 1 ? `; ${plural(open.length - 1, "other budget")}` : ""}`),
    ...ahead(told)
  );
}

// The forecast in words, and how far it was off before.
function ahead(told) {
  if (!told) return [];
  const { forecast, interval, limit, note, past } = told;
  if (forecast === null) return [term("forecast"), el("p", { class: "note" }, note)];
  const between = interval ? ` (95%: ${dollars(interval[0])} to ${dollars(interval[1])})` : "";
  const against = !limit ? "" : forecast > limit ? ": over the budget" : interval && interval[1] > limit ? ": perhaps over the budget" : ": within the budget";
  const before = past.length ? `. For ${monthName(`${past.at(-1).month}-01`)} it was off by ${Math.abs(past.at(-1).error_percent).toFixed(0)}%` : "";
  return [term("forecast"), el("p", { class: "note" }, el("strong", {}, dollars(forecast)), `${between} at the end of the month${against}${before}.`)];
}

function figures({ saved, total, added }) {
  const per = (usd) => dollars(total.requests ? (1000 * usd) / total.requests : 0);
  const share = (part) => (total.requests ? part / total.requests : 0);
  const rows = (more) => address({ view: "requests", ...more });
  return [
    figure("spend", dollars(saved.actual_cost), { href: rows({}), note: plural(total.requests, "request") }),
    figure("rate", per(saved.actual_cost), { href: rows({}), note: `${per(saved.baseline_cost)} on the baseline` }),
    figure("hits", percent(share(total.cache_hits), 1), { href: rows({ status: "cached" }), note: saved.by_source ? `${dollars(saved.by_source.answer_cache)} not spent` : plural(total.cache_hits, "request") }),
    figure("added", added === undefined ? "–" : duration(added), { href: rows({ status: "error" }), unit: "median", note: `${percent(share(total.errors), 2)} of requests failed` }),
  ];
}

async function paid(place, usage, time) {
  let [rows, by] = [filled(usage.rows, time), time.by];
  if (by === "day" && usage.rows.length && usage.rows.length < 3) {
    by = "hour";
    rows = filled((await ask("/v1/usage", { group_by: "hour", ...span(time), ...filtered(), from: usage.rows[0].group })).rows, { by });
  }
  const cumulative = asked().get("sum") === "1";
  refill(place, { rows: rows.map(({ group, cost, baseline_cost }) => ({ group, cost: cost ?? 0, baseline_cost: baseline_cost ?? 0 })), by, cumulative, isOpen: time.to === undefined }, (told) => {
    const choice = segments("Sums", [[by === "hour" ? "Hourly" : "Daily", !cumulative, changed({ sum: null })], ["Cumulative", cumulative, changed({ sum: "1" })]]);
    const few = told.rows.length < 2;
    return card("What you paid, and what you would have paid", few ? null : choice,
      few ? el("p", { class: "waiting" }, "Too little data for a line: it begins with the second hour in which something is asked.") : paidChart(told.rows, told));
  });
}

// The rows with a zero for every hour or day between the first and the last in which nothing was asked.
function filled(rows, { by }) {
  if (!rows.length) return [];
  const width = by === "hour" ? 3_600_000 : 86_400_000;
  const known = new Map(rows.map((row) => [Date.parse(row.group), row]));
  const [first, last] = [Math.min(...known.keys()), Math.max(...known.keys())];
  return Array.from({ length: Math.round((last - first) / width) + 1 }, (_, place) => {
    const moment = first + place * width;
    return known.get(moment) ?? { group: new Date(moment).toISOString(), cost: 0, baseline_cost: 0 };
  });
}

export const segments = (label, entries) =>
  el("div", { class: "segments", role: "group", "aria-label": label }, entries.map(([text, isOn, href]) => el("a", { href, "data-goes": true, "aria-current": isOn ? "true" : null }, text)));

function sources(saved) {
  if (!saved.by_source) return card("Where the savings come from", null, el("p", { class: "waiting" }, "This is kept of all requests together. ", el("a", { href: changed(unfiltered), "data-goes": true }, "See it of all")));
  const whole = Math.max(saved.baseline_cost, saved.actual_cost) || 1;
  let left = saved.baseline_cost;
  const bar = (from, to, kind) => el("span", { class: "track" }, from === to ? null : el("i", { class: kind, style: { left: percent(Math.min(from, to) / whole, 2), width: `max(2px, ${percent(Math.abs(to - from) / whole, 2)})` } }));
  const line = (title, track, text) => el("li", {}, el("span", {}, title), track, el("span", { class: "number" }, text));
  const steps = Object.entries(saved.by_source).map(([name, part]) => {
    const before = left;
    left -= part;
    return line(SOURCES[name] ?? name.replaceAll("_", " "), bar(before, left, part < 0 ? "cost" : "gain"), part === 0 ? "$0" : signed(-part));
  });
  return card("Where the savings come from", null,
    el("ul", { class: "waterfall" }, line("Baseline", bar(0, saved.baseline_cost, "would"), dollars(saved.baseline_cost)), steps, line("You paid", bar(0, saved.actual_cost, "paid"), dollars(saved.actual_cost))),
    el("p", { class: "note" }, "Every part is ", el("strong", {}, "counted"), " request by request. What a judge, shadow calls and tries that failed cost is taken off."));
}

async function experiment(place) {
  const list = (await askIfAllowed("/experiments", { limit: 20 }))?.data ?? [];
  const chosen = list.find((one) => one.status === "running") ?? list[0];
  const results = chosen ? await askIfAllowed(`/experiments/${encodeURIComponent(chosen.id)}/results`) : null;
  refill(place, { chosen, results }, () => results
    ? card(`Experiment: ${chosen.name}`, verdictChip(results.verdict.code), trial(chosen, results), el("p", {}, el("a", { href: address({ view: "experiments", experiment: chosen.id }), "data-goes": true }, "All experiments")))
    : card("Experiment", null, el("p", {}, "None yet. An experiment tells whether a cheaper way is as good, on your own traffic."), el("p", {}, el("a", { href: address({ view: "experiments" }), "data-goes": true }, "Begin one"))));
}

async function why(place, rows) {
  const chosen = rows.find((row) => row.status === "ok" && row.strategy && row.strategy !== "passthrough") ?? rows[0];
  if (!chosen) return refill(place, null, () => card("Why this model?", null, el("p", {}, "Every choice is explained here, with its price and its reason.")));
  if (place.dataset.explained === chosen.request_id) return;
  const request = await ask(`/v1/requests/${encodeURIComponent(chosen.request_id)}`);
  place.dataset.explained = chosen.request_id;
  refill(place, request, () => card("Why this model?",
    el("a", { href: changed({ request: request.request_id }), "data-goes": true }, `${timeOfDay(request.created_at)}${teamOf(request) ? `, team ${teamOf(request)}` : ""}`),
    decision(request), el("p", { class: "note" }, "Price and quality are ", el("strong", {}, "estimated"), " before the model is asked.")));
}

async function spending(place) {
  const by = asked().get("group") in GROUPS ? asked().get("group") : "team";
  const one = only();
  if (one) return refill(place, one, () => card(`Spend of ${one.by} ${one.value}`, null, el("p", { class: "waiting" }, "Sums are kept by one of these at a time. ", el("a", { href: changed({ ...unfiltered, group: one.by === "team" ? null : one.by }), "data-goes": true }, `See every ${one.by}`))));
  const usage = await ask("/v1/usage", { group_by: by, ...span(stretch()) });
  const columns = [[by[0].toUpperCase() + by.slice(1), false], ["Requests", true], ["Spend", true], ["Saved", true]];
  const name = (group) => group === null ? el("span", { class: "unknown" }, `no ${by}`) : el("a", { href: changed({ ...unfiltered, [by]: group }), "data-goes": true }, group);
  refill(place, { rows: usage.rows.slice(0, SHOWN), by }, ({ rows }) => card(`Spend by ${by}`,
    segments("Group by", Object.keys(GROUPS).map((one) => [one, one === by, changed({ group: one === "team" ? null : one })])),
    table(`Spend by ${by}`, columns, rows.map((row) => [name(row.group), count(row.requests), dollars(row.cost), el("span", { class: "saved" }, dollars(row.savings))]))));
}

// The median of the time that these requests spent here; undefined where there are none.
function added(rows) {
  const gaps = rows.map((row) => row.latency_ms - (row.upstream_ms ?? 0)).sort((one, other) => one - other);
  return gaps[gaps.length >> 1];
}

// The way to the first request, until it has come.
async function beginnings(host, place, isEmpty) {
  for (const part of host.children) part.hidden = isEmpty !== (part === place);
  if (!isEmpty) return;
  const { enabled_providers: providers, demo } = await ask("/providers");
  refill(place, { providers, demo }, checklist);
}

function checklist({ providers, demo }) {
  const call = `curl ${location.origin}/v1/chat/completions -H 'content-type: application/json' \\\n  -d '{"model": "auto", "messages": [{"role": "user", "content": "What is a farthing?"}]}'`;
  const said = el("span", { role: "status" });
  const copy = el("button", { type: "button", on: { click: () => navigator.clipboard.writeText(call).then(() => (said.textContent = " copied"), () => (said.textContent = " select it by hand")) } }, "Copy");
  const done = (isDone, ...content) => el("li", { class: isDone ? "done" : null }, el("strong", {}, isDone ? "✓ " : "○ "), content);
  return el("section", { class: "card" }, el("h1", {}, "Nothing was asked yet."), el("ol", { class: "checklist" },
    done(true, "The gateway runs."),
    done(providers.length > 0, demo ? "Simulated models answer. A provider's key, such as OPENAI_API_KEY, brings real ones." : providers.length ? `Connected: ${providers.join(", ")}.` : "Set a provider's key, such as OPENAI_API_KEY."),
    done(false, "Send a first request, from here or from any OpenAI or Anthropic client whose base URL is ", el("code", {}, `${location.origin}/v1`), ".", el("pre", { tabindex: "0", role: "region", "aria-label": "A first request" }, call), copy, said),
    done(false, "See it here, the moment it is answered. Nothing needs to be reloaded.")));
}
