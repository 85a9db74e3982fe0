// What the answer cache is worth, what is asked most, and what people think of kept answers.

import { card, el, facts, refill, table } from "./dom.js";
import { removal, vote } from "./drawer.js";
import { ask } from "./gateway.js";
import { count, dollars, percent, plural } from "./words.js";

export function cache(host) {
  const [sums, asked, best, worst] = ["sums", "asked", "best", "worst"].map((name) => el("div", { class: name }));
  host.replaceChildren(el("h1", {}, "Cache"), sums, asked, el("div", { class: "pair even" }, worst, best));
  return {
    async refresh() {
      const [stats, quality] = await Promise.all([ask("/cache/stats"), ask("/quality/stats")]);
      refill(sums, stats, told);
      refill(asked, stats.popular_queries, popular);
      refill(worst, [quality.worst, quality.invalidated], () => judged(quality));
      refill(best, quality.best, (list) => card("The best kept answers", null, answers(list, "Nobody has voted on a kept answer yet.")));
    },
  };
}

function told(stats) {
  const levels = Object.entries(stats.by_level).map(([level, hits]) => [`Hits, ${level}`, count(hits)]);
  return card("Since the beginning, counted", null, facts([
    ["Kept answers", count(stats.total_entries)], ["Hits", count(stats.total_hits)], ["Hit rate", percent(stats.hit_rate_percent / 100, 1)],
    ["Saved", dollars(stats.total_savings)], ...levels,
  ]));
}

const popular = (list) =>
  card("Asked most", null, list.length
    ? table("Asked most", [["Question", false], ["Model", false], ["Hits", true], ["Saved", true], ["Is it wrong?", false]],
      list.map((one) => [el("span", { class: "prompt" }, one.query), one.model, count(one.hits), dollars(one.savings), removal(one.cache_key)]))
    : el("p", { class: "waiting" }, "No kept answer was asked for again yet."));

const judged = ({ worst, invalidated }) =>
  card("The worst kept answers", null, answers(worst, "Nobody has voted on a kept answer yet."),
    invalidated.length ? el("div", {}, el("h3", {}, "Out of service"), answers(invalidated, "", false)) : null);

function answers(list, none, mayVote = true) {
  if (!list.length) return el("p", { class: "waiting" }, none);
  return el("ul", { class: "entries" }, list.map((one) => el("li", {},
    el("p", { class: "prompt" }, one.prompt), el("p", { class: "note" }, `${one.model}, score ${one.quality?.toFixed(2) ?? "–"}, ${plural(one.votes, "vote")}`),
    mayVote ? vote(one.cache_key) : null)));
}
