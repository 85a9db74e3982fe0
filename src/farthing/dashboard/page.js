const REFRESH_MS = 2000;
const EXPERIMENTS_MS = 5000;
const EXPERIMENTS = 3;
const byId = (id) => document.getElementById(id);
const count = new Intl.NumberFormat("en-US");

function dollars(usd) {
  if (usd === null || usd === undefined) return "unpriced";
  const digits = usd !== 0 && Math.abs(usd) < 0.01 ? 6 : 2;
  return new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", maximumFractionDigits: digits }).format(usd);
}

function sentence(overall) {
  if (overall.total_requests === 0) return "Nothing was asked yet, so nothing was spent and nothing saved.";
  const would = overall.total_cost + overall.total_savings;
  const percent = would > 0 ? Math.round((100 * overall.total_savings) / would) : 0;
  if (overall.total_savings <= 0) return `Farthing has spent ${dollars(overall.total_cost)} so far, and saved nothing yet.`;
  return `Farthing has saved ${dollars(overall.total_savings)} so far: ${percent}% of what the baseline model would have cost.`;
}

function row(cells) {
  const line = document.createElement("tr");
  for (const [text, style] of cells) {
    const cell = document.createElement("td");
    cell.textContent = text;
    if (style) cell.className = style;
    line.append(cell);
  }
  return line;
}

function requestRow(request) {
  return row([
    [new Date(request.created_at).toLocaleTimeString()],
    [request.model ?? request.requested_model ?? "–"],
    [request.status],
    [`${count.format(request.tokens_in)} / ${count.format(request.tokens_out)}`],
    [dollars(request.cost)],
    [dollars(request.savings), "saved"],
  ]);
}

function experimentRow([experiment, results]) {
  return row([[experiment.name], [results.status], [results.reason, "reason"]]);
}

function show({ overall, recent_requests: recent, demo }) {
  byId("demo").hidden = !demo;
  byId("sentence").textContent = sentence(overall);
  byId("cost").textContent = dollars(overall.total_cost);
  byId("requests").textContent = count.format(overall.total_requests);
  byId("hits").textContent = count.format(overall.cache_hits);
  byId("tokens").textContent = `${count.format(overall.total_tokens_in)} / ${count.format(overall.total_tokens_out)}`;
  byId("rows").replaceChildren(...recent.map(requestRow));
  byId("empty").hidden = overall.total_requests > 0;
}

function ask(path) {
  const key = byId("key").value;
  return fetch(path, { headers: key ? { authorization: `Bearer ${key}` } : {} });
}

async function refresh() {
  try {
    const answer = await ask("/stats");
    byId("key-label").hidden = answer.status !== 401 && !byId("key").value;
    if (answer.ok) show(await answer.json());
    else byId("sentence").textContent = (await answer.json()).error.message;
  } catch {
    byId("sentence").textContent = "The gateway does not answer at the moment.";
  }
  setTimeout(refresh, REFRESH_MS);
}

async function verdictOf(experiment) {
  const answer = await ask(`/experiments/${encodeURIComponent(experiment.id)}/results`);
  return answer.ok ? [experiment, await answer.json()] : null;
}

async function refreshExperiments() {
  try {
    const answer = await ask(`/experiments?limit=${EXPERIMENTS}`);
    const list = answer.ok ? (await answer.json()).data : [];
    const told = (await Promise.all(list.map(verdictOf))).filter(Boolean);
    byId("experiments").hidden = told.length === 0;
    byId("verdicts").replaceChildren(...told.map(experimentRow));
  } catch {
    // The sentence above says that the gateway does not answer.
  }
  setTimeout(refreshExperiments, EXPERIMENTS_MS);
}

byId("base").textContent = `${location.origin}/v1`;
refresh();
refreshExperiments();
