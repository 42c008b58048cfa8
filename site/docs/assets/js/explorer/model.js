// What is to be drawn of a state: marks with their values, the frontier, and words. No element of the page is made here.

import { frontier } from "./frontier.js";
import { suitsLog, withUnit } from "./scales.js";
import { GROUPS, viewOf } from "./state.js";

const RAMP = 5;
const MANY = 30;
const BASELINE = "baseline";

/** Everything that picture, table and notes show of a state. */
export function model(data, state) {
  const view = viewOf(data, state.source, state.model);
  const index = new Map(view.quantities.map((quantity, i) => [quantity.key, i]));
  const quantity = (key) => view.quantities[index.get(key)];
  const [x, y] = [quantity(state.x), quantity(state.y)];
  const size = state.size === "none" ? null : quantity(state.size);
  const shade = GROUPS.includes(state.colour) ? null : quantity(state.colour);
  const value = (point, q) => point.values[index.get(q.key)];

  const both = view.points.filter((point) => value(point, x) !== null && value(point, y) !== null);
  const baseline = both.find((point) => point.family === BASELINE) ?? null;
  const apart = baseline && (state.baseline ?? !farAway(both, baseline, [x, y], value)) === false;
  const known = apart ? both.filter((point) => point !== baseline) : both;
  const logs = { x: logOf(known.map((p) => value(p, x)), state.logx, x), y: logOf(known.map((p) => value(p, y)), state.logy, y) };
  const shown = known.filter((p) => !(logs.x && value(p, x) <= 0) && !(logs.y && value(p, y) <= 0));
  const best = new Set(frontier(shown.map((p) => [value(p, x), value(p, y)]), x.better, y.better));
  const sizes = size && spread(shown.map((p) => value(p, size)));
  const shades = shade && spread(shown.map((p) => value(p, shade)));
  const used = [x, y, size, shade].filter((q, i, all) => q && all.indexOf(q) === i);

  const marks = shown.map((point, i) => ({
    point,
    x: value(point, x),
    y: value(point, y),
    rangeX: range(point, x, logs.x),
    rangeY: range(point, y, logs.y),
    best: best.has(i),
    hollow: [x, y].some((q) => point.doubts?.[q.key]),
    radius: size ? radius(sizes, value(point, size), shown.length) : 6,
    shape: data.looks.families[point.family].shape,
    ink: ink(data, state, point, shade && value(point, shade), shades),
    lines: used.map((q) => line(point, q, value(point, q))),
    text: `${point.label}: ${used.map((q) => line(point, q, value(point, q))).join("; ")}`,
  }));
  return { view, x, y, size, shade, sizes, shades, logs, marks, used, missing: view.points.length - shown.length - (apart ? 1 : 0),
    baseline: baseline && { shown: !apart, label: baseline.label, x: value(baseline, x), y: value(baseline, y) } };
}

/** Whether one point alone would stretch an axis: twice as far as all others, and not so far that a logarithm is due. */
function farAway(points, one, axes, value) {
  return axes.some((q) => {
    const others = points.filter((point) => point !== one).map((point) => value(point, q));
    return others.length > 1 && !suitsLog([...others, value(one, q)]) && value(one, q) > 2 * Math.max(...others);
  });
}

function logOf(values, chosen, { kind }) {
  return chosen ?? (kind !== "year" && suitsLog(values));
}

function range(point, { key }, log) {
  const [low, high] = point.ranges?.[key] ?? [];
  return low === undefined || (log && low <= 0) ? null : [low, high];
}

function line(point, q, value) {
  const ends = point.ranges?.[q.key];
  const between = ends ? ` (${ends.map((end) => withUnit(end, { kind: q.kind, unit: "" })).join(" to ")})` : "";
  const doubt = point.doubts?.[q.key];
  return `${q.name} ${withUnit(value, q)}${between}${doubt ? `, in doubt: ${doubt}` : ""}`;
}

/** Least and greatest of the values that are known, and whether steps between them are ratios. */
export function spread(values) {
  const known = values.filter((value) => value !== null);
  const log = known.length > 0 && suitsLog(known);
  return { low: Math.min(...known), high: Math.max(...known), log };
}

/** How far a value lies between least and greatest, from 0 to 1. */
export function share({ low, high, log }, value) {
  const read = log ? Math.log : Number;
  return high > low ? (read(value) - read(low)) / (read(high) - read(low)) : 0.5;
}

/** The value that lies so far between least and greatest. */
export function valueAt({ low, high, log }, part) {
  return log ? low * (high / low) ** part : low + (high - low) * part;
}

/** Smaller where there are many marks. */
export function radius(sizes, value, marks) {
  return value === null ? 4 : 4 + (marks > MANY ? 5 : 9) * share(sizes, value);
}

function ink(data, state, point, value, shades) {
  if (state.colour === "family") return data.looks.families[point.family].colour;
  if (state.colour === "type") return data.looks.types[point.type].colour;
  return value === null ? "grey" : rampInk(share(shades, value));
}

export function rampInk(part) {
  return `ramp-${Math.min(RAMP - 1, Math.floor(part * RAMP))}`;
}
