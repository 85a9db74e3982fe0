// The models: prices, health, and what was learned of them.

import { card, chip, el, refill, table } from "./dom.js";
import { ask } from "./gateway.js";
import { address } from "./place.js";
import { count, dollars, plural } from "./words.js";

const COLUMNS = [["Model", false], ["Tier", false], ["Input / M tokens", true], ["Cached", true], ["Output / M tokens", true], ["Context", true], ["Can", false], ["Health", false], ["Rated quality", true], ["Prices of", false]];
const HEALTH = { closed: ["answers", "good"], open: ["away", "bad"], half_open: ["being tried", "warn"] };

export function models(host) {
  const place = el("div");
  host.replaceChildren(el("h1", {}, "Models"), place);
  return {
    async refresh() {
      const [{ models: known }, quality] = await Promise.all([ask("/providers"), ask("/quality/stats")]);
      const rated = Object.fromEntries(quality.by_model.map((one) => [one.name, one]));
      refill(place, { known, rated }, () => card("What can be asked here", null, table("Models", COLUMNS, Object.entries(known).map(([name, model]) => line(name, model, rated[name]))),
        el("p", { class: "note" }, "Prices are US dollars per million tokens. Quality is ", el("strong", {}, "measured"), ": the mean of people's ratings, 0 to 1.")));
    },
  };
}

function line(name, model, rated) {
  const [state, kind] = HEALTH[model.health] ?? [model.health, "warn"];
  const price = (usd) => (model.priced ? dollars(usd) : "unpriced");
  return [
    el("a", { href: address({ view: "requests", model: name }), "data-goes": true }, name), model.tier,
    price(model.input_usd_per_mtok), price(model.cached_input_usd_per_mtok), price(model.output_usd_per_mtok),
    model.context_tokens ? count(model.context_tokens) : null, model.capabilities.join(", "), chip(state, kind),
    rated ? `${rated.quality.toFixed(2)} (${plural(rated.votes, "rating")})` : "not rated", model.price_version,
  ];
}
