// The fleet as a grid of boards, each coloured by what it does at a moment of the round.
import { element } from "./words.js";

export const ACTIVITIES = ["download", "train", "train quantised", "upload", "wait", "off", "out of memory", "not in this round"];
const ABSENT = "not in this round";

// what a device does at a moment: the last change that is not after it
export function activityAt(device, seconds) {
  const { timeline } = device;
  let activity = timeline[0]?.[1] ?? ABSENT;
  for (const [start, name] of timeline) {
    if (start > seconds) break;
    activity = name;
  }
  return activity;
}

export class Fleet {
  constructor(place, legend, tip) {
    this.place = place;
    this.legend = legend;
    this.boards = new Map(); // device id to its button
    this.counts = new Map();
    for (const activity of ACTIVITIES) {
      const item = element("li");
      const count = element("span", "0");
      item.append(element("span", undefined, { class: "swatch", "data-activity": activity }), `${activity} `, count);
      legend.append(item);
      this.counts.set(activity, { item, count });
    }
    place.addEventListener("keydown", (event) => this.move(event));
    for (const [shown, hidden] of [["pointerover", "pointerleave"], ["focusin", "focusout"]]) {
      place.addEventListener(shown, (event) => {
        const board = event.target.closest(".board");
        if (board) tip.showDevice(this.devices.get(Number(board.dataset.id)), board.getBoundingClientRect());
        else tip.hide();
      });
      place.addEventListener(hidden, () => tip.hide());
    }
  }

  // the boards of a round; they stay where they are while the fleet is the same
  show(view) {
    this.devices = new Map(view.devices.map((device) => [device.id, device]));
    const key = view.devices.map((device) => `${device.id} ${device.profile}`).join();
    this.absent = view.fleet - view.devices.length - view.left_out;
    if (key === this.key) return;
    this.key = key;
    this.boards.clear();
    const blocks = new Map();
    for (const device of view.devices) {
      if (!blocks.has(device.profile)) blocks.set(device.profile, []);
      blocks.get(device.profile).push(device);
    }
    this.place.style.setProperty("--board", view.devices.length > 300 ? "11px" : "20px");
    this.place.replaceChildren(...[...blocks].flatMap(([profile, devices]) => {
      const boards = element("div", undefined, { class: "boards" });
      for (const device of devices) {
        const board = element("button", undefined, { class: "board", type: "button", "data-id": device.id, tabindex: -1 });
        boards.append(board);
        this.boards.set(device.id, board);
      }
      return [element("p", `${profile}, ${devices.length.toLocaleString("en")}`, { class: "profile" }), boards];
    }));
    this.boards.values().next().value?.setAttribute("tabindex", 0);
  }

  at(seconds) {
    const counts = new Map(ACTIVITIES.map((activity) => [activity, 0]));
    counts.set(ABSENT, this.absent);
    for (const [id, board] of this.boards) {
      const device = this.devices.get(id), activity = activityAt(device, seconds);
      counts.set(activity, counts.get(activity) + 1);
      if (board.dataset.activity !== activity) {
        board.dataset.activity = activity;
        board.setAttribute("aria-label", `device ${id}, ${device.profile}: ${activity}`);
      }
    }
    for (const [activity, { item, count }] of this.counts) {
      const now = String(counts.get(activity));
      if (count.textContent !== now) count.textContent = now;
      item.hidden = counts.get(activity) === 0 && !["download", "train", "upload", "wait"].includes(activity);
    }
  }

  move(event) {
    const boards = [...this.boards.values()], here = boards.indexOf(event.target);
    const columns = getComputedStyle(event.target.parentElement).gridTemplateColumns.split(" ").length;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -here, End: boards.length - 1 - here };
    if (here < 0 || !(event.key in steps)) return;
    event.preventDefault();
    const next = boards[Math.min(Math.max(here + steps[event.key], 0), boards.length - 1)];
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}
