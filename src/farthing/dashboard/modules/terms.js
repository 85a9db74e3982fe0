// What each figure means, and how it came about.

import { el } from "./dom.js";

const COUNTED = "counted";
const MEASURED = "measured";
const ESTIMATED = "estimated";

export const TERMS = {
  spend: ["Spend", COUNTED, "What the providers charge for the requests of this time: their tokens at the prices of their day."],
  rate: ["Cost per 1,000 requests", COUNTED, "Spend divided by requests, those from the cache included, times 1,000."],
  hits: ["Answered from the cache", COUNTED, "The share of requests that got a kept answer, and cost nothing."],
  added: ["Added latency", MEASURED, "The time in which a request was not waiting for its provider: the median of the last requests."],
  budget: ["Budget", COUNTED, "What is spent in the window that is open now, of what may be spent in it."],
  forecast: ["Forecast", ESTIMATED, "Spend at the end of the month if the days to come are like those of the last weeks."],
  saved: ["Saved", COUNTED, "What the baseline model would have cost with the same tokens, less what was paid."],
  quality: ["Expected quality", ESTIMATED, "0 to 1, learned from ratings of answers to questions like this one."],
  price: ["Expected price", ESTIMATED, "The prompt's tokens and a likely answer's, at the model's price of the day."],
  difference: ["Difference in cost", MEASURED, "Test less control, per 1,000 requests, with an interval that may be looked at at any time."],
};

let number = 0;

// The name of a figure; its definition shows on hover and focus.
export function term(name) {
  const [title, how, text] = TERMS[name];
  const id = `term-${(number += 1)}`;
  return el(
    "span",
    { class: "term" },
    el("button", { type: "button", "aria-describedby": id }, title),
    el("span", { class: "how" }, how),
    el("span", { class: "tip", role: "tooltip", id }, `${title}, ${how}. ${text}`)
  );
}

// A figure with its name; `href` leads to the rows behind it.
export const figure = (name, value, { href, note, unit } = {}) =>
  el(
    "div",
    { class: "figure" },
    term(name),
    el("p", { class: "value" }, href ? el("a", { href, "data-goes": true }, value) : value, unit ? el("small", {}, ` ${unit}`) : null),
    note ? el("p", { class: "note" }, note) : null
  );
