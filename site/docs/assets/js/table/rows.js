// Which rows a state leaves, how many each value of a facet would leave, and what rows are sorted by.

import { BY_NAME } from "./state.js";

/** The source that filtering by words and sorting look at: the claim, unless measurements are asked for or are all there is. */
export function sourceOf(column, source) {
  const wanted = source === "measured" ? "measured" : "claimed";
  return column.sources.includes(wanted) ? wanted : column.sources[0];
}

const said = (row, column, source) => row.cells[column.key][sourceOf(column, source)];

/** Indexes of the rows that fit the text and all facets and ranges but one. */
export function remaining(data, state, except = null) {
  const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
  const facets = data.columns.filter((c) => c.facet && c.key !== except && state.facets[c.key].size);
  const ranges = data.columns.filter((c) => c.key !== except && state.ranges[c.key]);
  return data.rows.flatMap((row, index) => {
    const fits =
      words.every((word) => row.words.includes(word)) &&
      facets.every((c) => said(row, c, state.source).kinds.some((kind) => state.facets[c.key].has(kind))) &&
      ranges.every((c) => within(row, c, state.ranges[c.key]));
    return fits ? [index] : [];
  });
}

/** Figures are filtered by what was measured, where anything was: prints are ranges, of models of their own. */
export function within(row, column, { low, high }) {
  const { number } = row.cells[column.key][column.sources.at(-1)];
  return number !== null && (low === null || number >= low) && (high === null || number < high);
}

/** Values of a facet with the number of rows that have them, given everything else that is chosen. */
export function counts(data, state, column) {
  const found = new Map(kindsOf(data, state, column).map((kind) => [kind, 0]));
  for (const index of remaining(data, state, column.key)) {
    for (const kind of said(data.rows[index], column, state.source).kinds) found.set(kind, found.get(kind) + 1);
  }
  return found;
}

function kindsOf(data, state, column) {
  const kinds = new Set(data.rows.flatMap((row) => said(row, column, state.source).kinds));
  const place = (kind) => (data.order.includes(kind) ? data.order.indexOf(kind) : -1);
  return [...kinds].sort((a, b) => place(a) - place(b) || a.localeCompare(b));
}

/** What a cell is sorted by; null for what has no value, which stays last in both directions. */
function sortKey(data, row, column, source) {
  const cell = said(row, column, source);
  if (column.numeric) return cell.number;
  if (!column.facet) return cell.text.toLowerCase();
  if (cell.kinds.some((kind) => data.absent.includes(kind))) return null;
  return data.order.indexOf(cell.kinds[0]) + cell.kinds.length / 100;
}

/** Numbers of the rows that remain, in the order that is asked for; the page's where that leaves two alike. */
export function ordered(data, state) {
  const { key, descending } = state.sort ?? BY_NAME;
  const column = data.columns.find((one) => one.key === key);
  const keys = data.rows.map((row) => sortKey(data, row, column, state.source));
  return remaining(data, state).sort((a, b) => compare(keys[a], keys[b], descending ? -1 : 1));
}

/** Order of two keys, null last. */
function compare(a, b, direction) {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return direction * (typeof a === "string" ? a.localeCompare(b) : a - b);
}
