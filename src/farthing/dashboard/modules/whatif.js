// What would be saved at another traffic, baseline or floor.

import { card, el } from "./dom.js";
import { ask } from "./gateway.js";
import { span, stretch } from "./place.js";
import { count, dollars, percent, plural } from "./words.js";

export function whatIf() {
  const said = el("div", { role: "status" });
  const field = (title, name, more) => el("label", {}, title, el("input", { name, autocomplete: "off", ...more }));
  const form = el("form", { class: "finder", "aria-label": "What if" },
    field("Requests a month", "requests_per_month", { type: "number", min: "1", max: "1000000000000", value: "1000000", required: true }),
    field("Baseline", "baseline", { placeholder: "as it is" }),
    field("Quality floor, 0 to 1", "floor", { type: "number", min: "0", max: "1", step: "any", placeholder: "as it is" }),
    el("button", { type: "submit" }, "Work it out"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = [...new FormData(form)].filter(([, value]) => value !== "");
    said.replaceChildren(el("p", { class: "waiting" }, "Working it out…"));
    try {
      said.replaceChildren(...told(await ask("/v1/savings/what-if", { ...Object.fromEntries(given), ...span(stretch()) })));
    } catch (error) {
      said.replaceChildren(el("p", {}, error.message));
    }
  });
  return card("What if?", el("span", { class: "note" }, "by all requests of this time"), form, said);
}

function told(found) {
  const between = found.interval ? ` (95%: ${dollars(found.interval[0])} to ${dollars(found.interval[1])})` : "";
  return [
    el("p", {}, el("strong", { class: "saved" }, `${dollars(found.saved)} a month saved`), `${between}, ${percent(found.percent / 100)} less: ${dollars(found.actual_cost)} instead of ${dollars(found.baseline_cost)} for ${plural(found.requests_per_month, "request")}.`),
    el("p", { class: "note" }, `This is ${found.method}, by ${count(found.requests)} requests.`),
    ...(found.floor ? [found.floor.sentence, ...found.floor.warnings].map((text) => el("p", { class: "note" }, text)) : []),
  ];
}
