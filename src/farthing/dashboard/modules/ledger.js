// Rows of the ledger as a table, which keeps the place of the keyboard while it changes.

import { chip, el, table } from "./dom.js";
import { changed } from "./place.js";
import { count, dayAndTime, dollars, duration, timeOfDay } from "./words.js";

const COLUMNS = [["Time", false], ["Team", false], ["Asked for", false], ["Served by", false], ["Tokens", true], ["Latency", true], ["Cost", true], ["Saved", true], ["How", false]];
const BAD = { error: "failed", rejected: "refused", interrupted: "broke off", cancelled: "cancelled" };
const CHOSEN = { passthrough: "as asked", hold_back: "held back" };

export const servedBy = (row) => (row.cache_hit ? "cache" : row.model ?? "–");
export const teamOf = (row) => row.team ?? row.tags?.team ?? null;

function how(row) {
  if (row.status in BAD) return chip(row.error_code ? `${BAD[row.status]}: ${row.error_code}` : BAD[row.status], "bad");
  if (row.cache_hit) return "kept answer";
  const chosen = CHOSEN[row.strategy] ?? row.strategy ?? "–";
  return row.tier && row.strategy !== "hold_back" ? `${chosen}, ${row.tier}` : chosen;
}

function saved(row) {
  if (row.savings === null || row.savings === undefined) return "–";
  return row.savings > 0 ? el("span", { class: "saved" }, dollars(row.savings)) : "–";
}

function line(row, words) {
  const opens = el("a", { href: changed({ request: row.request_id }), "data-goes": true, "data-request": row.request_id }, words(row.created_at));
  const cost = row.estimated ? el("span", { title: "estimated: tokens were counted here" }, `≈ ${dollars(row.cost)}`) : dollars(row.cost);
  const tokens = `${count(row.tokens_in)} / ${count(row.tokens_out)}`;
  const cells = [opens, teamOf(row), row.requested_model, el("strong", {}, servedBy(row)), tokens, duration(row.latency_ms), cost, saved(row), how(row)];
  return el("tr", {}, cells.map((cell, index) => el("td", { class: COLUMNS[index][1] ? "number" : null }, cell ?? "–")));
}

// Fills `host`; whoever is at a row with the keyboard stays there.
export function showRows(host, rows, { caption, days = false }) {
  const at = document.activeElement?.dataset?.request;
  const scrolled = host.querySelector(".scroll")?.scrollLeft ?? 0;
  host.replaceChildren(table(caption, COLUMNS, rows.map((row) => line(row, days ? dayAndTime : timeOfDay))));
  host.querySelector(".scroll").scrollLeft = scrolled;
  if (at) [...host.querySelectorAll("[data-request]")].find((link) => link.dataset.request === at)?.focus({ preventScroll: true });
}

// One row down or up, or the first.
export function step(host, by) {
  const links = [...host.querySelectorAll("[data-request]")];
  const at = links.indexOf(document.activeElement);
  const next = at < 0 ? 0 : Math.min(Math.max(at + by, 0), links.length - 1);
  links[next]?.focus();
}

export const keysHint = (paused) =>
  el("p", { class: "keys" }, el("kbd", {}, "j"), el("kbd", {}, "k"), " move ", el("kbd", {}, "enter"), " open ", el("kbd", {}, "space"), paused ? " go on" : " pause");
