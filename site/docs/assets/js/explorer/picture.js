// The picture, as plain SVG in units of the screen's pixels: axes, frontier, marks that are links, labels, legend.

import { steps } from "./frontier.js";
import { place } from "./labels.js";
import { legend } from "./legend.js";
import { headOf, scale, ticks, written } from "./scales.js";
import { FONT, colour, outline, svg, text, widthOf } from "./svg.js";

const MARGIN = { left: 58, right: 18, bottom: 46 };

/** The drawing of a model, so many pixels wide; `href` gives the address of a method's page. */
export function draw(model, data, state, width, href) {
  const height = Math.round(Math.min(530, Math.max(420, width * 0.5)));
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "explored", role: "group",
    "font-family": FONT, "font-size": 12 });
  const key = legend(model, data, state, width);
  root.append(key.drawing);
  const box = { left: MARGIN.left, right: width - MARGIN.right, top: key.height + 30, bottom: height - MARGIN.bottom };

  const across = axisScale(model.marks.map((m) => [m.x, m.rangeX]), model.logs.x, box.left, box.right);
  const up = axisScale(model.marks.map((m) => [m.y, m.rangeY]), model.logs.y, box.bottom, box.top);
  root.append(...axes(model, across, up, box));
  if (!model.marks.length) {
    root.append(text("No configuration has both figures.", (box.left + box.right) / 2, (box.top + box.bottom) / 2, { anchor: "middle" }));
    return { root, links: [] };
  }

  if (model.baseline && !model.baseline.shown) root.append(...reference(model.baseline, up, box));
  const placed = model.marks.map((mark) => ({ ...mark, px: across.at(mark.x), py: up.at(mark.y) }));
  root.append(line(placed, model.x.better), ...placed.flatMap((mark) => bars(mark, across, up)));
  const links = placed.map((mark) => link(mark, href));
  // Large marks first, so that small ones lie above them.
  root.append(...placed.map((mark, i) => [mark.radius, links[i]]).sort((a, b) => b[0] - a[0]).map(([, made]) => made));
  root.append(labels(placed, box));
  return { root, links };
}

function axisScale(found, log, from, to) {
  return scale(found.flatMap(([value, range]) => [value, ...(range ?? [])]), log, from, to);
}

function axes(model, across, up, box) {
  const grid = { stroke: colour("grid"), "stroke-width": 1 };
  const most = Math.max(3, Math.floor((box.right - box.left) / 90));
  const drawn = [];
  for (const value of ticks(across, most)) {
    const x = across.at(value);
    drawn.push(svg("line", { x1: x, x2: x, y1: box.top, y2: box.bottom, style: grid }));
    drawn.push(text(written(value, model.x.kind), x, box.bottom + 17, { anchor: "middle", ink: "quiet" }));
  }
  for (const value of ticks(up, 6)) {
    const y = up.at(value);
    drawn.push(svg("line", { x1: box.left, x2: box.right, y1: y, y2: y, style: grid }));
    drawn.push(text(written(value, model.y.kind), box.left - 7, y + 4, { anchor: "end", ink: "quiet" }));
  }
  drawn.push(svg("path", { d: `M${box.left} ${box.top}V${box.bottom}H${box.right}`, style: { fill: "none", stroke: colour("grey") } }));
  drawn.push(text(named(model.y, "↑", "↓"), 6, box.top - 10, { bold: true }));
  drawn.push(text(named(model.x, "→", "←"), box.right, box.bottom + 38, { anchor: "end", bold: true }));
  return drawn;
}

/** `Score, % (↑ is better)` */
function named(quantity, more, less) {
  const { better } = quantity;
  return better ? `${headOf(quantity)} (${better === "more" ? more : less} is better)` : headOf(quantity);
}

function line(placed, betterX) {
  const best = placed.filter((mark) => mark.best).sort((a, b) => a.x - b.x || a.y - b.y);
  const corners = steps(best.map((mark) => [mark.px, mark.py]), betterX);
  return svg("polyline", { points: corners.map((c) => c.map((n) => n.toFixed(1)).join()).join(" "), class: "frontier",
    style: { fill: "none", stroke: colour("grey"), "stroke-width": 1.5, "stroke-dasharray": "5 4" } });
}

/** The height of full tuning where its mark would lie far outside. */
function reference({ label, y: value }, up, box) {
  const y = up.at(value);
  if (!(y > box.top && y < box.bottom)) return [];
  const style = { stroke: colour("grey"), "stroke-width": 1, "stroke-dasharray": "1 3" };
  return [svg("line", { x1: box.left, x2: box.right, y1: y, y2: y, style }),
    text(`${label} →`, box.right, y - 5, { anchor: "end", ink: "quiet" })];
}

function bars(mark, across, up) {
  const style = { stroke: colour("grey"), "stroke-width": 1.2 };
  const drawn = [];
  if (mark.rangeY) {
    const [low, high] = mark.rangeY.map(up.at);
    drawn.push(svg("line", { class: "interval", x1: mark.px, x2: mark.px, y1: low, y2: high, style }));
  }
  if (mark.rangeX) {
    const [low, high] = mark.rangeX.map(across.at);
    drawn.push(svg("line", { class: "interval", x1: low, x2: high, y1: mark.py, y2: mark.py, style }));
  }
  return drawn;
}

function link(mark, href) {
  const ink = colour(mark.ink);
  const drawn = svg("path", { d: outline(mark.shape, mark.radius), transform: `translate(${mark.px.toFixed(1)} ${mark.py.toFixed(1)})`,
    style: { fill: mark.hollow ? colour("paper") : ink, "fill-opacity": mark.hollow ? 1 : 0.85, stroke: ink, "stroke-width": 1.8 } });
  const hollow = mark.hollow ? "hollow" : "";
  return svg("a", { href: href(mark.point.method), "aria-label": mark.text, class: `mark ${hollow}`.trim(), tabindex: -1 }, drawn);
}

/** Those of the frontier choose their places first, then whoever is highest. */
function labels(placed, box) {
  const order = [...placed].sort((a, b) => b.best - a.best || a.py - b.py);
  const others = order.map((mark) => ({ x: mark.px, y: mark.py, radius: mark.radius, width: widthOf(mark.point.label) }));
  const group = svg("g", { class: "labels", "aria-hidden": "true", style: { "pointer-events": "none" } });
  place(others, { ...box, left: box.left + 2, right: box.right + MARGIN.right - 2 }).forEach((found, i) => {
    if (found) group.append(text(order[i].point.label, found.x, found.y, { anchor: found.anchor }));
  });
  return group;
}
