// One request from all sides, over the page.

import { byId, card, chip, el, facts, sureButton, table } from "./dom.js";
import { decision } from "./decision.js";
import { ask, send } from "./gateway.js";
import { teamOf } from "./ledger.js";
import { asked, changed, go } from "./place.js";
import { count, dayAndTime, dollars, duration } from "./words.js";

const CLASSES = {
  prompt: "Prompt", cached: "of it cached by the provider", cached_audio: "of it cached audio", cache_write_5m: "Written to its cache, 5 min",
  cache_write_1h: "Written to its cache, 1 h", audio_in: "Audio in", image_in: "Images in", completion: "Answer", reasoning: "of it reasoning",
  audio_out: "Audio out", image_out: "Images out",
};
const OUTCOMES = { served: "served", unserved: "not served", check: "checked another", failed: "failed" };

let shown = null;

// Opens or closes, as the address says.
export async function follow() {
  const dialog = byId("drawer");
  const id = asked().get("request");
  if (!id) {
    shown = null;
    if (dialog.open) dialog.close();
    return;
  }
  if (id === shown) return;
  shown = id;
  dialog.replaceChildren(...frame(el("p", { class: "waiting" }, "Asking the ledger…")));
  if (!dialog.open) dialog.showModal();
  try {
    const request = await ask(`/v1/requests/${encodeURIComponent(id)}`);
    if (shown === id) dialog.replaceChildren(...frame(...about(request)));
  } catch (error) {
    if (shown === id) dialog.replaceChildren(...frame(el("p", {}, error.message)));
  }
}

const leave = () => go(changed({ request: null }));

function frame(...parts) {
  const close = el("button", { type: "button", "aria-label": "Close", on: { click: leave } }, "×");
  return [el("header", {}, el("h2", { id: "drawer-title" }, "Request"), close), ...parts];
}

byId("drawer").addEventListener("cancel", (event) => {
  event.preventDefault();
  leave();
});
byId("drawer").addEventListener("click", (event) => {
  if (event.target === byId("drawer")) leave();
});

function about(request) {
  return [
    el("p", { class: "id" }, request.request_id),
    facts([
      ["When", `${dayAndTime(request.created_at)} UTC`], ["How it ended", request.error_code ? `${request.status}: ${request.error_code}` : request.status],
      ["Asked for", request.requested_model], ["Served by", request.cache_hit ? `cache (${request.cache_level})` : request.model],
      ["Cost", `${dollars(request.cost)}${request.estimated ? ", estimated" : ", counted"}`], ["On the baseline", dollars(request.baseline_cost)],
      ["Team", teamOf(request)], ["User", request.user], ["Program", request.app], ["Prices", request.price_version],
    ]),
    card("Why this model?", null, decision(request)),
    card("Where the time went", null, timeline(request)),
    card("Tokens", null, tokens(request.usage ?? {})),
    request.calls?.length ? card("Calls", null, calls(request.calls)) : null,
    request.cache_key ? card("The answer", null, vote(request.cache_key)) : null,
  ].filter(Boolean);
}

function timeline(request) {
  const total = request.latency_ms || 0;
  const upstream = Math.min(request.upstream_ms ?? 0, total);
  const share = (ms) => `${total ? (100 * ms) / total : 0}%`;
  return el(
    "div",
    {},
    el("div", { class: "timeline", "aria-hidden": "true" }, el("i", { class: "ours", style: { width: share(total - upstream) } }), el("i", { class: "theirs", style: { width: share(upstream) } })),
    facts([
      ["Gateway", duration(total - upstream)], ["Provider", duration(upstream)],
      ["First token", request.first_token_ms === null ? null : duration(request.first_token_ms)], ["In all", duration(total)],
    ])
  );
}

function tokens(usage) {
  const used = Object.entries(CLASSES).filter(([name]) => usage[name] > 0);
  if (!used.length) return el("p", {}, "None.");
  return table("Tokens by class", [["Class", false], ["Tokens", true]], used.map(([name, title]) => [title, count(usage[name])]));
}

const calls = (list) =>
  table("Calls", [["Model", false], ["Came of it", false], ["Cost", true], ["Took", true], ["Why", false]],
    list.map((one) => [one.model, one.error ? chip(one.error, "bad") : OUTCOMES[one.outcome], dollars(one.cost), duration(one.latency_ms), one.why]));

export function vote(cacheKey) {
  const said = el("p", { role: "status" });
  const wrong = el("button", { type: "button", on: { click: async () => {
    wrong.disabled = true;
    try {
      said.textContent = (await send("POST", "/feedback", { cache_key: cacheKey, rating: -1 })).message;
    } catch (error) {
      said.textContent = error.message;
      wrong.disabled = false;
    }
  } } }, "This answer is wrong");
  return el("div", {}, el("p", {}, "It is kept for the same question. From three votes on, one whose score is under 0.3 is never served again."), wrong, said, removal(cacheKey));
}

export const removal = (cacheKey) =>
  sureButton("Remove it", "Nobody is served it again. Sure?", async () => {
    await send("DELETE", `/cache/${encodeURIComponent(cacheKey)}`);
    return "It is out of service on every worker.";
  });
