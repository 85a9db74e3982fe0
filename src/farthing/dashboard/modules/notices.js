// What everybody should know before they read a figure.

import { byId, el } from "./dom.js";
import { address } from "./place.js";
import { dollars, plural } from "./words.js";

const told = new Map();

// One line of its kind, or with null none.
export function notice(kind, level, ...content) {
  if (content[0] === null || content[0] === undefined) told.delete(kind);
  else told.set(kind, el("p", { class: `notice ${level}` }, content));
  byId("notices").replaceChildren(...told.values());
}

export const isDemo = (demo) =>
  notice("demo", "warn", demo ? el("strong", {}, "Demo mode. ") : null, "Every model here is simulated, and every amount with it. Set a provider's key, such as OPENAI_API_KEY, for real ones.");

export const isStale = (figures) =>
  notice("stale", "warn", figures.stale ? `The database is away: these figures are ${Math.round(figures.age_seconds)} s old. Requests go on, and none is lost.` : null);

export const unpriced = (number) =>
  notice("unpriced", "warn", number ? `${plural(number, "request")} of this time went to models whose price is not known: they are in no amount here. ` : null,
    el("a", { href: address({ view: "models" }), "data-goes": true }, "See the models"));

export function health(told) {
  const away = Object.entries(told.providers ?? {}).filter(([, state]) => state !== "closed").map(([name]) => name);
  notice("providers", "bad", away.length ? `${away.join(", ")} ${away.length === 1 ? "does" : "do"} not answer at the moment. Requests go to other models where they may.` : null);
  notice("redis", "warn", told.redis === "away" ? "Redis is away: each worker keeps its own kept answers and limits for now." : null);
}

export function budgets(list) {
  const spent = list.filter((budget) => budget.limit > 0 && budget.spent >= budget.limit);
  const names = spent.map((budget) => `${budget.name ?? budget.subject ?? budget.scope} (${dollars(budget.spent)} of ${dollars(budget.limit)})`);
  const hard = spent.some((budget) => budget.is_hard);
  notice("budgets", "bad", spent.length ? `Spent: ${names.join(", ")}. ${hard ? "Requests beyond it are refused. " : ""}` : null,
    el("a", { href: address({ view: "budgets" }), "data-goes": true }, "See the budgets"));
}
