// All points of a view with all of their figures, as a table of the page and as CSV. What is not drawn is there too.

import { element } from "../dom.js";
import { headOf, written } from "./scales.js";

/** The points with the highest value of an axis first. */
function ordered(view, key) {
  const index = view.quantities.findIndex((quantity) => quantity.key === key);
  const value = (point) => point.values[index] ?? -Infinity;
  return [...view.points].sort((a, b) => value(b) - value(a));
}

export function table(view, data, sortedBy, href) {
  const heads = ["Method", "Family", ...view.quantities.map((q) => `${headOf(q)} (${data.tiers[q.tier]})`)];
  const rows = ordered(view, sortedBy).map((point) => {
    const figures = view.quantities.map((q, i) => element("td", { className: "number" },
      written(point.values[i], q.kind) + (point.doubts?.[q.key] ? "*" : "")));
    return element("tr", {},
      element("td", {}, element("a", { href: href(point.method) }, point.label)),
      element("td", {}, data.looks.families[point.family].word), ...figures);
  });
  const head = element("tr", {}, ...heads.map((name) => element("th", { scope: "col" }, name)));
  return element("div", { className: "md-typeset__scrollwrap" }, element("div", { className: "md-typeset__table" },
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows))));
}

/** Figures in full, with the ends of intervals and the reasons for doubt beside them. */
export function csv(view, data, sortedBy) {
  const bounds = new Set(view.points.flatMap((point) => Object.keys(point.ranges ?? {})));
  const doubted = new Set(view.points.flatMap((point) => Object.keys(point.doubts ?? {})));
  const columns = [
    ["source", () => view.sourceName], ["model", () => view.modelName], ["method", (p) => p.method], ["label", (p) => p.label],
    ["configuration", (p) => p.configuration], ["family", (p) => p.family], ["type", (p) => p.type],
    ...view.quantities.flatMap((q, i) => [
      [`${headOf(q)} (${data.tiers[q.tier]})`, (p) => p.values[i] ?? ""],
      ...(bounds.has(q.key) ? [[`${headOf(q)}, low`, (p) => p.ranges?.[q.key]?.[0] ?? ""], [`${headOf(q)}, high`, (p) => p.ranges?.[q.key]?.[1] ?? ""]] : []),
      ...(doubted.has(q.key) ? [[`${headOf(q)}, in doubt`, (p) => p.doubts?.[q.key] ?? ""]] : []),
    ]),
  ];
  const quoted = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  const lines = [columns.map(([head]) => head), ...ordered(view, sortedBy).map((point) => columns.map(([, cell]) => cell(point)))];
  return lines.map((line) => `${line.map(quoted).join(",")}\r\n`).join("");
}
