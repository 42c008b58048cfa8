// What shapes, colours and sizes mean, in lines above the picture that wrap where it is narrow.

import { radius, rampInk, valueAt } from "./model.js";
import { headOf, written } from "./scales.js";
import { colour, outline, svg, text, widthOf } from "./svg.js";

const LINE = 20;
const LINE_OF_SIZES = 28;

/** The drawing and its height. */
export function legend(model, data, state, width) {
  const drawing = svg("g", { class: "legend", "aria-hidden": "true" });
  const tall = model.size ? LINE_OF_SIZES : LINE;
  let [x, y] = [6, model.size ? 20 : 14];
  for (const { sign, room, word } of entries(model, data, state)) {
    const wide = room + 6 + widthOf(word) + 16;
    if (x > 6 && x + wide > width) [x, y] = [6, y + tall];
    sign.setAttribute("transform", `translate(${x + room / 2} ${y - 4})`);
    drawing.append(sign, text(word, x + room + 6, y));
    x += wide;
  }
  return { drawing, height: y };
}

function entries(model, data, state) {
  const { families, types } = data.looks;
  const there = new Set(model.marks.map((mark) => mark.point.family));
  const found = Object.entries(families).filter(([key]) => there.has(key)).map(([, { shape, colour: ink, word }]) =>
    ({ sign: mark(shape, state.colour === "family" ? ink : "grey"), room: 12, word }));
  if (state.colour === "type") {
    const used = new Set(model.marks.map((m) => m.point.type));
    found.push(...Object.entries(types).filter(([key]) => used.has(key)).map(([, { colour: ink, word }]) =>
      ({ sign: mark("s", ink), room: 12, word })));
  }
  if (model.shade && model.marks.length) found.push(...scaleOf(model.shade, model.shades, (part) => mark("s", rampInk(part))));
  if (model.size && model.marks.length) {
    found.push(...scaleOf(model.size, model.sizes, (part) => mark("o", "grey", radius(model.sizes, valueAt(model.sizes, part), model.marks.length), true)));
  }
  if (model.marks.some((m) => m.hollow)) found.push({ sign: mark("o", "grey", 6, true), room: 12, word: "hollow: score in doubt" });
  if (model.marks.some((m) => m.best)) {
    found.push({ sign: svg("path", { d: "M-12 0H12", style: { stroke: colour("grey"), "stroke-width": 1.5, "stroke-dasharray": "5 4" } }),
      room: 24, word: "frontier: no method is better in both" });
  }
  return found;
}

/** A quantity's least, middle and greatest value, each with its sign. */
function scaleOf(quantity, between, sign) {
  return [0, 0.5, 1].map((part, i) => {
    const value = written(valueAt(between, part), quantity.kind);
    return { sign: sign(part), room: 26, word: i ? value : `${headOf(quantity)}: ${value}` };
  });
}

function mark(shape, ink, size = 6, open = false) {
  return svg("path", { d: outline(shape, size), style: { fill: open ? "none" : colour(ink), stroke: colour(ink), "stroke-width": 1.6 } });
}
