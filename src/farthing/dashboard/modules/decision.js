// Why this model: every candidate with its price, what is expected of it, and why it was not taken.

import { el } from "./dom.js";
import { dollars, percent } from "./words.js";

const TENTHS = 10;

// Where the scale begins, so that what is drawn has room: the tenth below all of it.
function beginning(candidates, least) {
  const drawn = candidates.flatMap((one) => [one.quality_interval?.[0], one.estimated_quality]).concat(least);
  return Math.max(0, Math.ceil(TENTHS * Math.min(1, ...drawn.filter((part) => part !== null && part !== undefined)) - 1) / TENTHS);
}

function quality({ estimated_quality: expected, quality_interval: interval }, { least, begin }) {
  if (expected === null || expected === undefined) return el("span", { class: "unknown" }, "quality unknown");
  const share = (part) => percent(Math.min(Math.max(part, 0), 1) / (1 - begin), 1);
  const band = interval ? el("i", { class: "band", style: { left: share(interval[0] - begin), width: share(interval[1] - interval[0]) } }) : null;
  const enough = least === undefined ? null : el("i", { class: "least", style: { left: share(least - begin) } });
  return el("span", { class: "quality" },
    el("span", { class: "scale", "aria-hidden": "true" }, band, enough, el("i", { style: { left: share(expected - begin) } })),
    el("span", { title: "expected quality, 0 to 1" }, expected.toFixed(2)));
}

function reason(candidate, served) {
  const interval = candidate.quality_interval;
  const why = candidate.model === served ? `chosen: ${candidate.reason}` : candidate.reason;
  return interval ? `${why} (95%: ${interval[0].toFixed(2)} to ${interval[1].toFixed(2)})` : why;
}

const entry = (candidate, served, scale) =>
  el(
    "li",
    { class: candidate.model === served ? "taken" : null },
    el("span", { class: "name" }, candidate.model === served ? "● " : "○ ", candidate.model),
    quality(candidate, scale),
    el("span", { class: "number" }, dollars(candidate.estimated_cost)),
    el("span", { class: "reason" }, reason(candidate, served))
  );

// What is told of a request with its decision, or why there was none.
export function decision(request) {
  const candidates = request.decision?.candidates ?? [];
  if (request.cache_hit) return el("p", {}, "No model was asked: a kept answer to the same question was served.");
  if (!candidates.length) return el("p", {}, request.reason ?? "The caller named this model, and a model that is named is never changed.");
  const least = request.decision.metadata?.least;
  const scale = { least, begin: beginning(candidates, least) };
  const isMeasured = candidates.some((candidate) => candidate.quality_interval);
  return el(
    "div",
    {},
    request.reason ? el("p", {}, `${request.reason.replace(/\.$/, "")}.`) : null,
    el("ul", { class: "candidates" }, candidates.map((candidate) => entry(candidate, request.model, scale))),
    isMeasured ? el("p", { class: "note" }, `Mark: expected quality, on a scale from ${scale.begin} to 1. Band: its 95% interval, by how many answers to prompts like this one are rated.${least === undefined ? "" : " Dashed: good enough from here on."}`) : null
  );
}
