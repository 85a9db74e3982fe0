// Why this model: every candidate with its price, what is expected of it, and why it was not taken.

import { el } from "./dom.js";
import { dollars } from "./words.js";

function quality(expected) {
  if (expected === null || expected === undefined) return el("span", { class: "unknown" }, "quality unknown");
  const mark = el("i", { style: { left: `${100 * Math.min(Math.max(expected, 0), 1)}%` } });
  return el("span", { class: "quality" }, el("span", { class: "scale", "aria-hidden": "true" }, mark), el("span", { title: "expected quality, 0 to 1" }, expected.toFixed(2)));
}

const entry = (candidate, served) =>
  el(
    "li",
    { class: candidate.model === served ? "taken" : null },
    el("span", { class: "name" }, candidate.model === served ? "● " : "○ ", candidate.model),
    quality(candidate.estimated_quality),
    el("span", { class: "number" }, dollars(candidate.estimated_cost)),
    el("span", { class: "reason" }, candidate.model === served ? `chosen: ${candidate.reason}` : candidate.reason)
  );

// What is told of a request with its decision, or why there was none.
export function decision(request) {
  const candidates = request.decision?.candidates ?? [];
  if (request.cache_hit) return el("p", {}, "No model was asked: a kept answer to the same question was served.");
  if (!candidates.length) return el("p", {}, request.reason ?? "The caller named this model, and a model that is named is never changed.");
  return el(
    "div",
    {},
    request.reason ? el("p", {}, `${request.reason.replace(/\.$/, "")}.`) : null,
    el("ul", { class: "candidates" }, candidates.map((candidate) => entry(candidate, request.model)))
  );
}
