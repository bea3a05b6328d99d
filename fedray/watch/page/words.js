// Numbers and names as people read them.

// `step`: how far apart those are that it is to be told from
export function duration(seconds, step = 0.1) {
  if (seconds < 120) return `${seconds.toFixed(Math.max(1, Math.ceil(-Math.log10(step))))} s`;
  const whole = Math.round(seconds), hours = Math.floor(whole / 3600);
  const two = (count) => String(count).padStart(2, "0");
  return `${hours}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

export function size(count) {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (count < 1000) return `${count.toFixed(unit === "B" ? 0 : 1)} ${unit}`;
    count /= 1000;
  }
  return `${count.toFixed(1)} TB`;
}

export const decimal = (value) => (value === null ? "–" : value.toFixed(3));

// plotly reads tags in names, and formulas between dollars
export const plain = (text) =>
  text.replace(/[&<>$]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", $: "&#36;" })[sign]);

export function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
