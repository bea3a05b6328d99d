// The live page: news come in as whole views of runs; what is chosen is shown.
import { Clock } from "./clock.js";
import { drawCurves, lineOf } from "./curves.js";
import { Fleet } from "./fleet.js";
import { Gantt } from "./gantt.js";
import { Tip } from "./tip.js";
import { decimal, duration, element, size } from "./words.js";

const at = (id) => document.getElementById(id);
const tip = new Tip(at("tip")), fleet = new Fleet(at("fleet"), at("legend"), tip), gantt = new Gantt(at("gantt"), tip);
const clock = new Clock();
const runs = new Map(); // name to {view, index, shown}
let selected = null; // name of the run whose fleet is shown
let chosenRound = null; // null: the latest
let shownRound = null; // the round on the page, as the server told it
let asked = ""; // key of the round last asked for
let curvesAreStale = false;
let taken = 0; // lines of curves that runs have

function listen() {
  const news = new EventSource("news");
  news.onopen = () => (at("connection").textContent = "live");
  news.onmessage = (event) => take(JSON.parse(event.data));
  news.addEventListener("runs", (event) => forgetAllBut(JSON.parse(event.data)));
  news.addEventListener("problems", (event) => {
    at("problems").replaceChildren(...JSON.parse(event.data).map((text) => element("li", text)));
  });
  news.onerror = () => {
    at("connection").textContent = "connection lost, trying again";
    if (news.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  };
}

function take(view) {
  const before = runs.get(view.name);
  runs.set(view.name, { view, index: before?.index ?? taken++, shown: before?.shown ?? true });
  if (selected === null || (!before && runs.get(selected).view.status !== "running" && view.status === "running")) select(view.name);
  showRuns();
  if (JSON.stringify(before?.view.curve) !== JSON.stringify(view.curve)) curvesAreStale = true;
  if (view.name === selected) showSelected();
}

function forgetAllBut(names) {
  const gone = [...runs.keys()].filter((name) => !names.includes(name));
  if (!gone.length) return;
  gone.forEach((name) => runs.delete(name));
  curvesAreStale = true;
  if (!runs.size) {
    selected = null;
    at("no-runs").hidden = false;
    at("runs").hidden = at("content").hidden = true;
  } else if (runs.has(selected)) showRuns();
  else select(runs.keys().next().value);
}

function select(name) {
  selected = name;
  chosenRound = null;
  shownRound = null;
  showRuns();
  showSelected();
}

function showRuns() {
  at("no-runs").hidden = true;
  at("runs").hidden = at("content").hidden = false;
  at("runs").tBodies[0].replaceChildren(...[...runs.values()].map(({ view, index, shown }) => {
    const row = element("tr");
    if (view.name === selected) row.setAttribute("aria-current", "true");
    const box = element("input", undefined, { type: "checkbox", "aria-label": `show ${view.name} among the curves` });
    box.checked = shown;
    box.onchange = () => {
      runs.get(view.name).shown = box.checked;
      curvesAreStale = true;
    };
    const name = element("button", view.name, { type: "button" });
    name.onclick = () => select(view.name);
    const swatch = element("span", undefined, { class: "line" }), line = lineOf(index);
    swatch.style.borderTop = `3px ${line.border} ${line.color}`;
    const cells = [element("td"), element("td"), element("td", view.method), element("td", view.status)];
    const named = element("div", undefined, { class: "named" });
    named.append(swatch, name);
    cells[0].append(box);
    cells[1].append(named);
    const numbers = [
      `${view.rounds}/${view.rounds_planned}`, `${view.metric} ${decimal(view.primary)}`, duration(view.emulated_seconds),
      size(view.bytes_up + view.bytes_down),
    ];
    row.append(...cells, ...numbers.map((text) => element("td", text, { class: "number" })));
    return row;
  }));
}

function showSelected() {
  const { view } = runs.get(selected), { under_way: underWay } = view;
  at("now-run").textContent = `${view.name}: ${view.method}, ${view.devices.toLocaleString("en")} devices, ${view.backbone}`;
  at("twin").hidden = view.twin === null;
  at("twin").textContent = `All costs are those of ${view.twin}; ${view.backbone} stands in for its training.`;
  const trained = underWay ? `${underWay.trained} of ${underWay.planned} devices trained` : view.status;
  const facts = {
    [underWay ? `round ${underWay.round} of ${view.rounds_planned}` : `${view.rounds} of ${view.rounds_planned} rounds`]: trained,
    [view.metric]: decimal(view.primary), "emulated time": duration(view.emulated_seconds),
    traffic: size(view.bytes_up + view.bytes_down), "waiting, last round": view.rounds ? duration(view.waiting_seconds) : "–",
    energy: view.joules < 1000 ? `${view.joules.toFixed(1)} J` : `${(view.joules / 1000).toFixed(1)} kJ`,
    ...(view.dropped ? { "did not finish": `${view.dropped} times` } : {}),
    ...(underWay?.hosts_lost ? { "hosts lost": `${underWay.hosts_lost}, work was done again` } : {}),
  };
  at("facts").replaceChildren(...Object.entries(facts).map(([name, text]) => {
    const fact = element("div");
    fact.append(element("dt", name), element("dd", text));
    return fact;
  }));
  const log = at("log"), atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
  log.textContent = view.log.join("\n") || "no round is complete yet";
  if (atEnd) log.scrollTop = log.scrollHeight;
  const latest = underWay && (underWay.has_devices || !view.rounds) ? underWay.round : view.rounds;
  at("round").max = Math.max(latest, 1);
  at("round").value = chosenRound ?? latest;
  at("latest").setAttribute("aria-pressed", String(chosenRound === null));
  if (latest) askFor(chosenRound ?? latest);
}

async function askFor(round) {
  const { view } = runs.get(selected), name = selected, isUnderWay = view.under_way?.round === round;
  at("round-number").textContent = `${round} of ${view.rounds_planned}`;
  const key = `${name} ${round} ${isUnderWay}`;
  if (key !== asked) {
    asked = key;
    const answer = await fetch(`round?${new URLSearchParams({ run: name, round })}`).catch(() => null);
    if (key !== asked) return; // something else was chosen meanwhile
    if (!answer?.ok) {
      asked = "";
      at("round-note").textContent = answer ? `round ${round}: ${await answer.text()}` : "";
      return;
    }
    const found = await answer.json();
    if (key === asked) showRound(found, name);
  } else if (shownRound?.round === round && isUnderWay && chosenRound === null) {
    clock.show(shownRound.round_seconds, view.under_way, false);
  }
}

function showRound(view, name) {
  const isNew = shownRound?.round !== view.round;
  shownRound = view;
  if (view.devices.length) {
    fleet.show(view);
    gantt.show(view);
  }
  const underWay = view.complete ? null : runs.get(name).view.under_way;
  clock.show(view.round_seconds, underWay?.round === view.round ? underWay : null, isNew);
  at("left-out").textContent = view.left_out ? `${view.left_out.toLocaleString("en")} more devices are not shown.` : "";
  at("round-note").textContent = view.complete
    ? `Round ${view.round} is complete: ${duration(view.round_seconds)} of emulated time.`
    : `Round ${view.round} is in progress: planned are ${duration(view.round_seconds)}; its moment is ` +
      (underWay?.dilation ? "that of the wall clock." : "the share of its devices that are trained.");
  if (!view.devices.length && !view.complete) at("round-note").textContent += " Its devices are shown once it is complete.";
  if (view.own_time) at("round-note").textContent += " Devices are on their own time: shown are those whose updates it took.";
  at("fleet-section").hidden = at("gantt-section").hidden = !view.devices.length;
  at("groups-section").hidden = view.groups.length < 2;
  at("groups").tBodies[0].replaceChildren(...view.groups.map((group) => {
    const row = element("tr");
    const divergence = group.label_divergence === null ? "–" : `${group.label_divergence.toFixed(4)} nats`;
    const cells = [group.devices, group.inner_rounds, group.mean_depth.toFixed(2), duration(group.busy_seconds), divergence];
    row.append(element("td", group.id), ...cells.map((text) => element("td", text, { class: "number" })));
    return row;
  }));
  frame.dirty = true;
}

function frame() {
  const moves = clock.tick();
  if ((moves || frame.dirty) && shownRound?.devices.length) {
    frame.dirty = false;
    fleet.at(clock.seconds);
    gantt.at(clock.seconds);
    if (document.activeElement !== at("moment")) at("moment").value = (1000 * clock.seconds) / (clock.length || 1);
    at("moment-number").textContent = duration(clock.seconds, clock.length / 100);
    at("play").textContent = clock.replaying ? "pause" : "play";
  }
  if (curvesAreStale && window.Plotly) {
    curvesAreStale = false;
    drawCurves(at("by-time"), at("by-bytes"), [...runs.values()].filter(({ shown }) => shown));
  }
  requestAnimationFrame(frame);
}

at("round").oninput = () => {
  chosenRound = Number(at("round").value);
  showSelected();
};
at("latest").onclick = () => {
  chosenRound = null;
  shownRound = null; // back to its own moment, too
  asked = "";
  showSelected();
};
at("moment").oninput = () => {
  clock.choose((at("moment").value / 1000) * clock.length);
  frame.dirty = true;
};
at("play").onclick = () => {
  if (clock.replaying) clock.pause();
  else clock.replay();
  frame.dirty = true;
};
window.addEventListener("resize", () => (frame.dirty = true));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (frame.dirty = curvesAreStale = true));
listen();
requestAnimationFrame(frame);
