const REFRESH_MS = 2000;
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

function row(request) {
  const line = document.createElement("tr");
  const cells = [
    [new Date(request.created_at).toLocaleTimeString()],
    [request.model ?? request.requested_model ?? "–"],
    [request.status],
    [`${count.format(request.tokens_in)} / ${count.format(request.tokens_out)}`],
    [dollars(request.cost)],
    [dollars(request.savings), "saved"],
  ];
  for (const [text, style] of cells) {
    const cell = document.createElement("td");
    cell.textContent = text;
    if (style) cell.className = style;
    line.append(cell);
  }
  return line;
}

function show({ overall, recent_requests: recent, demo }) {
  byId("demo").hidden = !demo;
  byId("sentence").textContent = sentence(overall);
  byId("cost").textContent = dollars(overall.total_cost);
  byId("requests").textContent = count.format(overall.total_requests);
  byId("hits").textContent = count.format(overall.cache_hits);
  byId("tokens").textContent = `${count.format(overall.total_tokens_in)} / ${count.format(overall.total_tokens_out)}`;
  byId("rows").replaceChildren(...recent.map(row));
  byId("empty").hidden = overall.total_requests > 0;
}

async function refresh() {
  const key = byId("key").value;
  try {
    const answer = await fetch("/stats", { headers: key ? { authorization: `Bearer ${key}` } : {} });
    byId("key-label").hidden = answer.status !== 401 && !key;
    if (answer.ok) show(await answer.json());
    else byId("sentence").textContent = (await answer.json()).error.message;
  } catch {
    byId("sentence").textContent = "The gateway does not answer at the moment.";
  }
  setTimeout(refresh, REFRESH_MS);
}

byId("base").textContent = `${location.origin}/v1`;
refresh();
