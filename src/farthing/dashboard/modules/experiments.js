// Experiments: begun, watched, ended.

import { card, el, refill, sureButton } from "./dom.js";
import { ask, send } from "./gateway.js";
import { asked, changed, go } from "./place.js";
import { trial, verdictChip } from "./trials.js";
import { day } from "./words.js";

const FEWEST = 2;

export function experiments(host) {
  const [list, one] = [el("div"), el("div")];
  host.replaceChildren(el("h1", {}, "Experiments"), el("div", { class: "pair even" }, one, el("div", {}, list, beginning())));
  const refresh = async () => {
    const { data } = await ask("/experiments", { limit: 50 });
    const chosen = data.find((experiment) => experiment.id === asked().get("experiment")) ?? data[0];
    refill(list, { data, id: chosen?.id }, () => card("All of them", null, data.length ? el("ul", { class: "entries" }, data.map((experiment) => entry(experiment, chosen))) : el("p", {}, "None yet.")));
    if (!chosen) return refill(one, null, () => card("Is a cheaper way as good?", null, el("p", {}, "An experiment splits your own traffic between two ways to answer, and says when the difference in cost is real and quality has held.")));
    const results = await ask(`/experiments/${encodeURIComponent(chosen.id)}/results`);
    return refill(one, { chosen, results }, () => card(chosen.name, verdictChip(results.verdict.code), chosen.hypothesis ? el("p", {}, chosen.hypothesis) : null, trial(chosen, results), caveats(results), ending(chosen, refresh)));
  };
  return { refresh };
}

const entry = (experiment, chosen) =>
  el("li", {}, el("a", { href: changed({ experiment: experiment.id }), "data-goes": true, "aria-current": experiment.id === chosen.id ? "true" : null }, experiment.name),
    el("span", { class: "note" }, ` ${experiment.control_strategy} → ${experiment.test_strategy}, ${day(experiment.created_at)}, ${experiment.status}`));

const caveats = (results) => (results.verdict.caveats.length ? el("ul", { class: "note" }, results.verdict.caveats.map((text) => el("li", {}, text))) : null);

function ending(experiment, refresh) {
  if (experiment.status !== "running") return null;
  return sureButton("End it without a verdict", "End it: nothing is decided by it then. Sure?", async () => {
    await send("POST", `/experiments/${encodeURIComponent(experiment.id)}/stop`);
    await refresh();
    return "It has ended.";
  });
}

function beginning() {
  const said = el("p", { role: "status" });
  const input = (name, more) => el("input", { name, required: true, autocomplete: "off", ...more });
  const field = (title, part) => el("label", {}, title, part);
  const form = el("form", { class: "stacked" },
    field("Name", input("name", { maxlength: "200" })),
    field("Control: what answers today", input("control_strategy", { placeholder: "a model's name" })),
    field("Test: what may be cheaper", input("test_strategy", { value: "hybrid" })),
    field("Results of both", input("sample_size", { type: "number", min: String(FEWEST), value: "1000" })),
    el("button", { type: "submit" }, "Begin"), said);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(form));
    try {
      const made = await send("POST", "/experiments", { ...given, sample_size: Number(given.sample_size) });
      go(changed({ experiment: made.id }));
    } catch (error) {
      said.textContent = error.message;
    }
  });
  return card("Begin one", null, form);
}
