// Budgets with what is spent of them, and the keys.

import { card, chip, el, refill, table } from "./dom.js";
import { askIfAllowed } from "./gateway.js";
import { address } from "./place.js";
import { day, dollars, percent } from "./words.js";

const NOT_YOURS = "These are for auditors and admins.";
const STATES = { active: "good", blocked: "bad", expired: "warn", revoked: "" };

export function budgets(host) {
  const [limits, keys] = [el("div"), el("div")];
  host.replaceChildren(el("h1", {}, "Budgets and keys"), limits, keys);
  return {
    async refresh() {
      const [spent, known] = await Promise.all([askIfAllowed("/admin/budgets", { limit: 200 }), askIfAllowed("/admin/keys", { limit: 200 })]);
      refill(limits, spent?.data ?? null, (list) => card("Budgets", null, list === null ? el("p", {}, NOT_YOURS) : list.length ? budgetTable(list) : none("No budget is set.", "farthing budgets create")));
      refill(keys, known?.data ?? null, (list) => card("Keys", null, list === null ? el("p", {}, NOT_YOURS) : list.length ? keyTable(list) : none("No key was made: whoever reaches this gateway may use it.", "farthing keys create")));
    },
  };
}

const none = (text, command) => el("p", {}, `${text} `, el("code", {}, command));

function meter(budget) {
  const share = budget.limit ? budget.spent / budget.limit : 1;
  return el("span", { class: "share" }, el("span", { class: `meter ${share >= 1 ? "bad" : ""}` }, el("i", { style: { width: percent(Math.min(share, 1), 1) } })), ` ${percent(share)}`);
}

const budgetTable = (list) =>
  table("Budgets", [["Budget", false], ["Bounds", false], ["Window", false], ["Spent", true], ["Limit", true], ["Share", false], ["Beyond it", false], ["Begins anew", false]],
    list.map((budget) => [budget.name ?? budget.budget_id, [budget.scope, budget.subject].filter(Boolean).join(" "), budget.window, dollars(budget.spent), dollars(budget.limit), meter(budget),
      budget.is_hard ? "refused" : "told", budget.resets_at ? day(budget.resets_at) : "never"]));

const keyTable = (list) =>
  table("Keys", [["Key", false], ["Ends in", false], ["Tenant", false], ["Team", false], ["Role", false], ["State", false], ["Made", false]],
    list.map((key) => [el("a", { href: address({ view: "requests", key: key.key_id }), "data-goes": true }, key.name ?? key.key_id), `…${key.hint}`, key.tenant, key.team, key.role,
      chip(key.state, STATES[key.state] ?? ""), key.created_at ? day(key.created_at) : null]));
