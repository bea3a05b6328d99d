// A round device by device: what each did until a moment, and faintly what is still to come.
import { duration } from "./words.js";

const COLOURS = {
  download: "--download", train: "--train", "train quantised": "--quantised", upload: "--upload",
  wait: "--wait", "out of memory": "--memory",
};
const MARGIN = { left: 8, right: 8, bottom: 26 }, HEIGHT = 520, THINNEST = 1.5, THICKEST = 14, FAINT = 0.22;

// the next of 1, 2, 5, 10, 20, ... and of the parts of a minute and an hour that is at least `seconds`
function roundStep(least) {
  const whole = [10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600].find((step) => step >= least);
  if (least > 10 && whole) return whole;
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((digit) => digit * power).find((step) => step >= least);
}

export class Gantt {
  constructor(canvas, tip) {
    this.canvas = canvas;
    canvas.addEventListener("pointermove", (event) => {
      const row = Math.floor(event.offsetY / this.pixels);
      const device = this.rows?.[row];
      if (device) tip.showDevice(device, new DOMRect(event.clientX, event.clientY, 0, 0));
      else tip.hide();
    });
    canvas.addEventListener("pointerleave", () => tip.hide());
  }

  show(view) {
    this.view = view;
    this.rows = [...view.devices].sort((a, b) => a.group - b.group || a.busy_seconds - b.busy_seconds || a.id - b.id);
    this.pixels = Math.min(Math.max(HEIGHT / Math.max(this.rows.length, 1), THINNEST), THICKEST);
  }

  at(seconds) {
    const { canvas, view, rows, pixels } = this;
    const width = canvas.clientWidth, height = rows.length * pixels + MARGIN.bottom, ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.height = `${height}px`;
    }
    const style = getComputedStyle(document.documentElement), ink = (name) => style.getPropertyValue(name).trim();
    const colours = Object.fromEntries(Object.entries(COLOURS).map(([activity, name]) => [activity, ink(name)]));
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const scale = (width - MARGIN.left - MARGIN.right) / (view.round_seconds || 1), x = (at) => MARGIN.left + at * scale;
    const gap = pixels > 4 ? 1 : 0;
    rows.forEach((device, row) => {
      device.timeline.forEach(([since, activity], i) => {
        const end = Math.min(device.timeline[i + 1]?.[0] ?? view.round_seconds, view.round_seconds);
        const start = Math.max(since, 0); // on their own time devices may have begun before the round
        if (!(activity in colours) || end <= start) return;
        context.fillStyle = colours[activity];
        const done = Math.min(Math.max(seconds, start), end);
        if (done > start) context.fillRect(x(start), row * pixels, (done - start) * scale, pixels - gap);
        if (end > done) {
          context.globalAlpha = FAINT;
          context.fillRect(x(done), row * pixels, (end - done) * scale, pixels - gap);
          context.globalAlpha = 1;
        }
      });
    });
    context.fillStyle = ink("--ink");
    context.fillRect(x(Math.min(seconds, view.round_seconds)) - 0.75, 0, 1.5, rows.length * pixels);
    context.fillStyle = ink("--soft");
    context.font = "12px system-ui, sans-serif";
    const step = roundStep((view.round_seconds * 90) / width);
    for (let tick = 0; tick <= view.round_seconds && step > 0; tick += step) {
      context.textAlign = tick === 0 ? "left" : "center";
      if (x(tick) < width - 24) context.fillText(duration(tick, step), x(tick), height - 8);
    }
  }
}
