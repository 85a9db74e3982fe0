// One experiment: its narrowing band, and what it says.

import { chip, el } from "./dom.js";
import { bandChart } from "./charts.js";
import { count } from "./words.js";

const VERDICTS = {
  collecting: ["collecting", ""], winner: ["winner", "good"], no_difference: ["no difference", ""], negligible: ["negligible", ""],
  trade_off: ["trade-off", "warn"], outlier_driven: ["driven by few", "warn"], stopped_harm: ["stopped: harm", "bad"],
  invalid: ["invalid", "bad"], inconclusive: ["inconclusive", "warn"],
};

export function verdictChip(code) {
  const [text, kind] = VERDICTS[code] ?? [code, ""];
  return chip(text, kind);
}

// Its band once there are two points, and its verdict in a sentence.
export function trial(experiment, results) {
  const about = results.verdict.about ?? experiment.arms[1].name;
  const points = results.series.filter((point) => point.arm === about);
  const counted = results.control_count + results.test_count;
  return el(
    "div",
    { class: "told" },
    points.length > 1 ? bandChart(points) : el("p", { class: "waiting" }, "The band appears with the first results of both arms."),
    el("p", {}, el("strong", {}, results.reason)),
    el("p", { class: "note" }, `${count(counted)} of ${count(experiment.sample_size)} results; `
      + `control is ${results.control_strategy}, test ${results.test_strategy}. The interval holds however often you look.`)
  );
}
