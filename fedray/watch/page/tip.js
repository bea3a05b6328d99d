// What a board tells when it is pointed at or focused.
import { duration, element, size } from "./words.js";

export class Tip {
  constructor(place) {
    this.place = place;
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.hide());
  }

  showDevice(device, near) {
    const quantised = device.quantised_layers ? `, ${device.quantised_layers} layers quantised` : "";
    const loss = device.loss === null ? "" : `, loss ${device.loss.toFixed(3)}`;
    const lines = [
      `${device.profile} in ${device.mode}, ${device.link} link, group ${device.group}`,
      `depth ${device.depth}, ranks ${device.ranks.map((rank) => +rank.toFixed(1)).join(" ") || "none"}${quantised}`,
      `memory ${size(device.memory_bytes)} of ${size(device.memory_limit_bytes)}`,
      `works ${duration(device.busy_seconds)}, waits ${duration(device.waiting_seconds)}, ${device.joules.toFixed(0)} J`,
      `down ${size(device.bytes_down)}, up ${size(device.bytes_up)}${loss}`,
      ...(device.outcome === "finished" ? [] : [`did not finish: ${device.outcome}`]),
    ];
    this.place.replaceChildren(element("b", `device ${device.id}`), ...lines.map((line) => element("div", line)));
    this.place.hidden = false;
    const box = this.place.getBoundingClientRect();
    const left = Math.min(Math.max(near.right + 12, 8), window.innerWidth - box.width - 8);
    const top = near.bottom + 12 + box.height < window.innerHeight ? near.bottom + 12 : near.top - box.height - 12;
    this.place.style.left = `${Math.max(left, 4)}px`;
    this.place.style.top = `${Math.max(top, 4)}px`;
  }

  hide() {
    this.place.hidden = true;
  }
}
