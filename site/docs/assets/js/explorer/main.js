// The explorer: what is chosen stands in the address, and picture, notes and table follow it.

import { data as load, download, element } from "../dom.js";
import { pointing } from "./pointing.js";
import { model } from "./model.js";
import { draw } from "./picture.js";
import { withUnit } from "./scales.js";
import { savePicture } from "./save.js";
import { capital, moved, read, title, viewOf, write } from "./state.js";
import { csv, table } from "./table.js";
import { tools } from "./tools.js";

export async function start(place) {
  const data = await load("explorer.json");
  // A link of the page knows where methods' pages are, whatever the generator calls them.
  const sample = document.querySelector("#explorer-sample a").href;
  const at = sample.lastIndexOf(place.dataset.method);
  const href = (method) => sample.slice(0, at) + method + sample.slice(at + place.dataset.method.length);
  const heading = document.getElementById("explorer-title");
  const permalink = heading.querySelector(".headerlink");
  const points = document.getElementById("explorer-points");
  const notes = document.getElementById("explorer-notes");
  let state = read(location.search, data);
  let drawn = null;

  const show = tools(document.getElementById("explorer-tools"), data, {
    source: (source) => change(moved(state, viewOf(data, source, state.model, "source"))),
    model: (chosen) => change(moved(state, viewOf(data, state.source, chosen, "model"))),
    axis: (axis, key) => change({ [axis]: key, [`log${axis}`]: null, baseline: null }),
    log: (axis, on) => change({ [`log${axis}`]: on }),
    baseline: (on) => change({ baseline: on }),
    save,
  });

  function change(part) {
    state = { ...state, ...part };
    history.pushState(null, "", write(state, data) || location.pathname);
    apply();
  }

  function paint() {
    const shown = model(data, state);
    const made = draw(shown, data, state, Math.max(320, Math.round(place.clientWidth)), href);
    made.root.setAttribute("aria-label", `${words(shown)}. ${shown.marks.length} marks; arrow keys move between them.`);
    const held = place.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    drawn = made.root;
    place.replaceChildren(drawn);
    pointing(place, made.links, shown.marks);
    if (held) made.links.find((link) => link.getAttribute("aria-label") === held)?.focus();
    return shown;
  }

  const words = (shown) => title(shown.view, shown.x, shown.y);

  function apply() {
    const shown = paint();
    heading.replaceChildren(words(shown), ...(permalink ? [permalink] : []));
    show(state, shown, counted(shown));
    notes.replaceChildren(element("ul", {}, ...shown.used.map((q) => note(q, data))));
    points.replaceChildren(table(shown.view, data, state.y, href));
    place.dataset.ready = write(state, data) || "?";
  }

  function save(format) {
    const shown = model(data, state);
    const name = ["explorer", state.source, state.model, state.y, state.x].join("-").replaceAll(".", "_");
    if (format === "CSV") return download(`${name}.csv`, "text/csv", csv(shown.view, data, state.y));
    const origin = [shown.used.map((q) => `${capital(q.name)}: ${data.tiers[q.tier]}. ${q.origin}`).join(" "), location.href];
    return savePicture(format, name, drawn, words(shown), origin);
  }

  addEventListener("popstate", () => {
    state = read(location.search, data);
    apply();
  });
  let width = 0;
  new ResizeObserver(() => {
    if (place.clientWidth === width) return;
    width = place.clientWidth;
    paint();
  }).observe(place);
  width = place.clientWidth;
  apply();
}

function counted({ marks, missing, x, y, baseline }) {
  const left = missing ? ` ${missing} more lack a figure for one of the axes and are only in the table.` : "";
  const none = x.better && y.better ? "" : " No frontier: neither end of an axis is better.";
  const far = baseline && !baseline.shown
    ? ` ${baseline.label} is left out: ${[y, x].map((q) => `${q.name} ${withUnit(baseline[q === x ? "x" : "y"], q)}`).join(", ")}.` : "";
  return `${marks.length} configurations.${far}${left}${none}`;
}

function note(quantity, data) {
  const bars = quantity.interval ? ` Bars: ${quantity.interval}.` : "";
  return element("li", {}, element("strong", {}, capital(quantity.name)), ` (${data.tiers[quantity.tier]}): ${quantity.origin}${bars}`);
}
