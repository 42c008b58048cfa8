// What the reader chose, as a value and as the query of the page's address. What is as at first is left out.
// `q` is not used: the theme opens its search with it.

export const SOURCES = ["both", "claimed", "measured"];
export const MOST = 5;
export const BY_NAME = { key: "name", descending: false };

const list = (text) => (text ? text.split(",") : []);

/** The state that an address describes; what does not exist is ignored. */
export function read(query, { columns, models }, ids) {
  const asked = new URLSearchParams(query);
  const keys = columns.map((column) => column.key);
  const facets = {};
  for (const column of columns.filter((c) => c.facet)) facets[column.key] = new Set(list(asked.get(column.key)));
  const ranges = {};
  for (const column of columns.filter((c) => c.ranges.length)) ranges[column.key] = range(asked.get(column.key) ?? "");
  const sort = asked.get("sort") ?? "";
  const key = sort.replace(/^-/, "");
  return {
    text: asked.get("text") ?? "",
    facets,
    ranges,
    model: models.some(({ id }) => id === asked.get("model")) ? asked.get("model") : models[0].id,
    source: SOURCES.includes(asked.get("source")) ? asked.get("source") : "both",
    sort: keys.includes(key) ? { key, descending: sort.startsWith("-") } : null,
    columns: asked.has("columns")
      ? new Set(["name", ...list(asked.get("columns")).filter((k) => keys.includes(k))])
      : atFirst(columns),
    chosen: new Set(list(asked.get("m")).filter((id) => ids.has(id)).slice(0, MOST)),
  };
}

/** The query of an address that describes a state, with its question mark; empty for the first state. */
export function write(state, { columns, models }) {
  const asked = new URLSearchParams();
  if (state.text) asked.set("text", state.text);
  for (const [key, values] of Object.entries(state.facets)) if (values.size) asked.set(key, [...values].join(","));
  for (const [key, one] of Object.entries(state.ranges)) if (one) asked.set(key, written(one));
  if (state.model !== models[0].id) asked.set("model", state.model);
  if (state.source !== "both") asked.set("source", state.source);
  if (state.sort) asked.set("sort", (state.sort.descending ? "-" : "") + state.sort.key);
  const shown = columns.map((column) => column.key).filter((key) => state.columns.has(key) && key !== "name");
  const first = columns.map((column) => column.key).filter((key) => atFirst(columns).has(key) && key !== "name");
  if (shown.join() !== first.join()) asked.set("columns", shown.join(","));
  if (state.chosen.size) asked.set("m", [...state.chosen].join(","));
  const query = asked.toString().replaceAll("%2C", ",");
  return query && `?${query}`;
}

/** `..0.1` is below 0.1, `2024..` at least 2024; null for what says neither. */
export function range(text) {
  const found = /^(-?[\d.]+(?:e\d+)?)?\.\.(-?[\d.]+(?:e\d+)?)?$/.exec(text);
  const [low, high] = (found?.slice(1) ?? []).map((bound) => (bound === undefined ? null : Number(bound)));
  const given = [low, high].filter((bound) => bound != null);
  return given.length && given.every(Number.isFinite) ? { low, high } : null;
}

/** A range as an address has it. */
export const written = ({ low, high }) => `${low ?? ""}..${high ?? ""}`;

export function atFirst(columns) {
  return new Set(columns.filter((column) => column.shown).map((column) => column.key));
}
