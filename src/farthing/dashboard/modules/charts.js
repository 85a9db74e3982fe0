// Two charts drawn by uPlot: what was paid beside what would have been, and an experiment's narrowing band.

import { el } from "./dom.js";
import { dayAndTime, day, dollars, signed, count, timeOfDay } from "./words.js";

const HEIGHT = 240;
const SETTLED = 0.1;
const drawn = new Set();

// A canvas knows no variables of the style sheet.
function colour(name) {
  const probe = el("i", { style: { color: `var(--${name})` } });
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const axis = (more) => ({
  stroke: colour("quiet"),
  font: "12px system-ui, sans-serif",
  grid: { stroke: colour("line"), width: 1 },
  ticks: { show: false },
  ...more,
});

// A chart that fits its place and is drawn anew in other colours. `options` is asked again for each drawing.
function chart(described, options, data, readout) {
  const host = el("div", { class: "chart", role: "img", "aria-label": described });
  const said = el("p", { class: "readout" }, readout(null));
  const state = { host, plot: null };
  const draw = () => {
    state.plot?.destroy();
    const hooks = { setCursor: [(plot) => said.replaceChildren(readout(plot.cursor.idx ?? null))] };
    const width = Math.max(200, host.clientWidth);
    const cursor = { y: false, points: { size: 6 } };
    state.plot = new uPlot({ width, height: HEIGHT, legend: { show: false }, cursor, hooks, ...options() }, data, host);
  };
  const widths = new ResizeObserver(() => {
    if (!host.isConnected) return forget(state, widths);
    if (state.plot) state.plot.setSize({ width: Math.max(200, host.clientWidth), height: HEIGHT });
    else draw();
  });
  widths.observe(host);
  drawn.add(Object.assign(state, { draw }));
  return el("figure", {}, host, said);
}

function forget(state, widths) {
  widths.disconnect();
  state.plot?.destroy();
  drawn.delete(state);
}

// After the page has become light or dark.
export function redraw() {
  for (const state of drawn) if (state.plot) state.draw();
}

const utc = (seconds) => uPlot.tzDate(new Date(1000 * seconds), "Etc/UTC");

// `rows` are of `group`, `cost` and `baseline_cost`, the oldest first.
export function paidChart(rows, { by, cumulative, isOpen }) {
  const times = rows.map((row) => Date.parse(row.group) / 1000);
  const sums = (name) => {
    let sum = 0;
    return rows.map((row) => (cumulative ? (sum += row[name]) : row[name]));
  };
  const data = [times, sums("baseline_cost"), sums("cost")];
  const when = by === "hour" ? (moment) => dayAndTime(moment).slice(0, -3) : day;
  const options = () => ({
    tzDate: utc,
    axes: [
      axis({ size: 32, values: (_, ticks) => ticks.map((tick) => (tick % 86400 ? timeOfDay(1000 * tick).slice(0, 5) : day(1000 * tick))), space: 64 }),
      axis({ values: (_, ticks) => ticks.map(dollars), size: 64 }),
    ],
    scales: { y: { range: (_, low, high) => [Math.min(0, low), high || 1] } },
    series: [
      {},
      { stroke: colour("quiet"), width: 1.5, dash: [5, 4], points: { show: false } },
      { stroke: colour("accent"), width: 2, points: { show: rows.length < 40, size: 5, fill: colour("accent") } },
    ],
    bands: [{ series: [1, 2], fill: colour("gap") }],
  });
  const readout = (index) => {
    if (index === null) return `Dashed: the baseline model. Line: paid. Shaded: saved.${isOpen ? ` The last ${by} is not over.` : ""}`;
    const [would, paid] = [data[1][index], data[2][index]];
    return `${when(1000 * times[index])}: ${dollars(paid)} paid, ${dollars(would)} on the baseline, ${dollars(would - paid)} saved`;
  };
  const total = (column) => dollars(cumulative ? data[column].at(-1) : data[column].reduce((sum, one) => sum + one, 0));
  const described = `Paid ${total(2)}, where the baseline model would have cost ${total(1)}, by ${by}.`;
  return chart(described, options, data, readout);
}

const PER_THOUSAND = 1000;

// `points` are of `n`, `diff`, `low` and `high` in US dollars a request; below 0 is cheaper.
export function bandChart(points) {
  const column = (name) => points.map((point) => PER_THOUSAND * point[name]);
  const data = [points.map((point) => point.n), column("high"), column("low"), column("diff"), points.map(() => 0)];
  // The first few results say next to nothing, and would flatten all that follows.
  const later = points.filter((point) => point.n >= SETTLED * points.at(-1).n).flatMap(({ low, high }) => [PER_THOUSAND * low, PER_THOUSAND * high]);
  const settled = () => [1.1 * Math.min(0, ...later), 1.1 * Math.max(0, ...later) || 1];
  const options = () => ({
    axes: [axis({ size: 32, values: (_, ticks) => ticks.map(count), space: 64 }), axis({ values: (_, ticks) => ticks.map(signed), size: 72 })],
    scales: { x: { time: false }, y: { range: settled } },
    series: [
      {},
      { stroke: "transparent", points: { show: false } },
      { stroke: "transparent", points: { show: false } },
      { stroke: colour("accent"), width: 2, points: { show: false } },
      { stroke: colour("warn-ink"), width: 1.5, dash: [5, 4], points: { show: false } },
    ],
    bands: [{ series: [1, 2], fill: colour("band") }],
  });
  const readout = (index) => {
    if (index === null) return "Line: the difference so far. Band: its interval. Dashed: no difference; below it is cheaper.";
    const [, high, low, diff] = data.map((values) => values[index]);
    return `After ${count(data[0][index])} results: ${signed(diff)} per 1,000 requests, ${signed(low)} to ${signed(high)}`;
  };
  const end = points.at(-1);
  const sizes = [end.diff, end.low, end.high].map((value) => signed(PER_THOUSAND * value));
  return chart(`After ${count(end.n)} results test differs by ${sizes[0]} per 1,000 requests, from ${sizes[1]} to ${sizes[2]}.`, options, data, readout);
}
