// What the reader chose, as a value and as the query of the page's address. What is as at first is left out.
// `q` is not used: the theme opens its search with it.

export const GROUPS = ["family", "type"];
const AXES = ["x", "y", "size", "colour"];
const FLAGS = ["logx", "logy", "baseline"]; // where one is left out, the figures decide

const has = (view, key) => view.quantities.some((quantity) => quantity.key === key);

/** Whether an axis can show this in a view. */
function fits(view, axis, key) {
  return has(view, key) || (axis === "size" && key === "none") || (axis === "colour" && GROUPS.includes(key));
}

/** The view of a source and a model; with one of the two alone, or two that do not meet, the first of what was named last. */
export function viewOf(data, source, model, prefer = "source") {
  const { views, first } = data;
  const both = views.find((view) => view.source === source && view.model === model);
  const bySource = views.find((view) => view.source === source && view.model === first.model) ?? views.find((view) => view.source === source);
  const byModel = views.find((view) => view.model === model);
  const one = prefer === "source" ? bySource ?? byModel : byModel ?? bySource;
  return both ?? one ?? views.find((view) => view.source === first.source && view.model === first.model);
}

/** The state that an address describes; what does not exist is ignored. */
export function read(query, data) {
  const asked = new URLSearchParams(query);
  const view = viewOf(data, asked.get("source"), asked.get("model"));
  const chosen = Object.fromEntries(AXES.map((axis) => {
    const key = asked.get(axis);
    return [axis, key !== null && fits(view, axis, key) ? key : view.first[axis]];
  }));
  const [logx, logy, baseline] = FLAGS.map((name) => ({ yes: true, no: false })[asked.get(name)] ?? null);
  return { source: view.source, model: view.model, ...chosen, logx, logy, baseline };
}

/** The same choice in another view: axes that it has too stay. */
export function moved(state, view) {
  const chosen = Object.fromEntries(AXES.map((axis) => [axis, fits(view, axis, state[axis]) ? state[axis] : view.first[axis]]));
  return { ...state, source: view.source, model: view.model, ...chosen, logx: null, logy: null, baseline: null };
}

/** The query of an address that describes a state, with its question mark; empty for the first state. */
export function write(state, data) {
  const asked = new URLSearchParams();
  const view = viewOf(data, state.source, state.model);
  if (state.source !== data.first.source || state.model !== data.first.model) {
    asked.set("source", state.source);
    asked.set("model", state.model);
  }
  for (const axis of AXES) if (state[axis] !== view.first[axis]) asked.set(axis, state[axis]);
  for (const name of FLAGS) if (state[name] !== null) asked.set(name, state[name] ? "yes" : "no");
  const query = asked.toString();
  return query && `?${query}`;
}

/** `Score against peak memory on T5-3B, as the survey prints them`. */
export function title(view, x, y) {
  const said = [...new Set([y.said, x.said].filter(Boolean))].join(" and ");
  return `${capital(y.name)} against ${x.name} on ${view.modelName}${said && `, ${said}`}`;
}

export const capital = (text) => text[0].toUpperCase() + text.slice(1);
