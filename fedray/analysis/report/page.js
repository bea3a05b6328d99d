"use strict";
const config = {
  responsive: true,
  displaylogo: false,
  modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
};
const plots = [];
for (const figure of document.querySelectorAll("figure")) {
  const plot = figure.querySelector(".plot");
  const views = JSON.parse(figure.querySelector("script").textContent);
  const heights = views.map((view) => view.layout.height);
  const choice = figure.querySelector("select");
  const shown = () => (choice ? choice.selectedIndex : 0);
  const draw = () => Plotly.react(plot, views[shown()].data, views[shown()].layout, config);
  if (choice) choice.addEventListener("change", draw);
  draw();
  plots.push({ plot, height: () => heights[shown()] });
}

// paper is narrower than most screens and finer than all: draw anew for it, then for the screen again
const paper = { width: 700, half: 330, shrink: 0.85 };
window.addEventListener("beforeprint", () => {
  for (const { plot, height } of plots) {
    const width = plot.closest(".pair") ? paper.half : paper.width;
    Plotly.relayout(plot, { autosize: false, width, height: height() * paper.shrink });
  }
});
window.addEventListener("afterprint", () => {
  for (const { plot, height } of plots) Plotly.relayout(plot, { autosize: true, width: null, height: height() });
});
