// The primary metric against emulated time and against bytes, a line per run.
import { plain } from "./words.js";

// Okabe and Ito's palette: told apart by colour-blind readers; dashes tell the next seven apart
const PALETTE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f"];
const DASHES = [["solid", "solid"], ["dash", "dashed"], ["dot", "dotted"]]; // plotly's names and those of CSS

// the line of the so manieth run, for plotly and for the table, which is the legend
export function lineOf(index) {
  const [dash, border] = DASHES[Math.floor(index / PALETTE.length) % DASHES.length];
  return { color: PALETTE[index % PALETTE.length], dash, border };
}

function unitOf(most, steps) {
  return steps.findLast(([, divisor]) => most >= divisor) ?? steps[0];
}

const TIMES = [["s", 1], ["min", 300], ["h", 3 * 3600]];
const DIVISORS = { s: 1, min: 60, h: 3600 };
const SIZES = [["B", 1], ["kB", 1e3], ["MB", 1e6], ["GB", 1e9], ["TB", 1e12]];

// the primary metric of all runs, in words
function metricOf(runs) {
  const names = new Set(runs.map(({ view }) => view.metric));
  return names.size === 1 ? plain([...names][0]) : "primary metric";
}

function draw(place, runs, column, title, divisor) {
  const style = getComputedStyle(document.documentElement);
  const [ink, line] = ["--ink", "--line"].map((name) => style.getPropertyValue(name).trim());
  const traces = runs.map(({ view, index }) => {
    const shown = view.curve.primary.flatMap((value, i) => (value === null ? [] : [i]));
    return {
      name: plain(view.name),
      x: shown.map((i) => view.curve[column][i] / divisor),
      y: shown.map((i) => view.curve.primary[i]),
      customdata: shown.map((i) => view.curve.round[i]),
      mode: shown.length < 40 ? "lines+markers" : "lines",
      line: { color: lineOf(index).color, dash: lineOf(index).dash, width: 2 },
      hovertemplate: "%{y:.3f} after round %{customdata}<extra>%{fullData.name}</extra>",
    };
  });
  const empty = traces.every(({ x }) => x.length === 0) ? { range: [0, 1] } : {};
  const axis = (text, more) => ({
    title: { text, standoff: 6 }, gridcolor: line, linecolor: line, zeroline: false, automargin: true, ...more, ...empty,
  });
  const layout = {
    margin: { l: 48, r: 8, t: 8, b: 40 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink, size: 12 }, showlegend: false,
    xaxis: axis(title, { rangemode: "tozero" }), yaxis: axis(metricOf(runs)), uirevision: "kept", dragmode: false,
  };
  window.Plotly.react(place, traces, layout, { displayModeBar: false, responsive: true });
}

export function drawCurves(byTime, byBytes, runs) {
  const drawn = ({ primary }, column) => column.findLast((_, i) => primary[i] !== null) ?? 0;
  const most = (column) => Math.max(0, ...runs.map(({ view }) => drawn(view.curve, view.curve[column])));
  const [time] = unitOf(most("emulated_seconds"), TIMES);
  const [bytes, byteDivisor] = unitOf(most("bytes"), SIZES);
  draw(byTime, runs, "emulated_seconds", `emulated time (${time})`, DIVISORS[time]);
  draw(byBytes, runs, "bytes", `bytes, both ways (${bytes})`, byteDivisor);
}
