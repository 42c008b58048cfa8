// The controls above the table. They are made once; `show` brings them to a state.

import { dropdown, element } from "../dom.js";
import { FORMATS } from "./exports.js";
import { counts } from "./rows.js";
import { MOST, SOURCES } from "./state.js";

const NAMES = { both: "Both", claimed: "Claimed", measured: "Measured" };

/** Put the controls into `place`. `act` has a function for each thing that a reader can do. */
export function tools(place, data, act) {
  const text = element("input", { type: "search", placeholder: "Filter by name", "aria-label": "Filter by name" });
  text.addEventListener("input", () => act.text(text.value));
  const facets = data.columns.filter((column) => column.facet).map((column) => facet(column, data, act));
  const source = choice(act);
  const columns = data.columns.filter((column) => column.key !== "name").map((column) => {
    const [label, box] = checkbox(column.head, () => act.column(column.key, box.checked));
    return { key: column.key, label, box };
  });
  const saves = Object.keys(FORMATS).map((name) => button(name, () => act.save(name)));
  const clear = button("Clear filters", act.clear);
  const status = element("p", { className: "status", role: "status" });
  const go = element("a", { className: "md-button go" });
  const none = button("Choose none", act.chooseNone);

  // On a narrow screen the filters would fill it; there they wait behind one word.
  const filters = element("details", { className: "filters", open: matchMedia("(min-width: 45em)").matches },
    element("summary", {}, "Filters"), element("div", { className: "bar" }, ...facets.map((f) => f.box), clear));
  place.replaceChildren(
    element("div", { className: "bar" }, text, filters),
    element("div", { className: "bar" }, source.box,
      dropdown("Columns", group("Columns", columns.map((c) => c.label))),
      dropdown("Save this view", group("Save this view as", saves)), status,
      element("span", { className: "chosen" }, none, go)),
  );

  return function show(state, left, compare) {
    if (text.value !== state.text) text.value = state.text;
    facets.forEach((f) => f.show(state));
    source.show(state);
    columns.forEach((c) => (c.box.checked = state.columns.has(c.key)));
    clear.hidden = !state.text && Object.values(state.facets).every((values) => !values.size);
    const follow = state.source === "measured" ? "measurements" : "claims";
    status.textContent = `${left} of ${data.rows.length} methods. Filters and sorting follow the ${follow}.`;
    none.hidden = !state.chosen.size;
    const ready = state.chosen.size >= 2;
    go.textContent = ready ? `Compare ${state.chosen.size} methods` : `Compare: choose 2 to ${MOST}`;
    if (ready) go.href = `${compare}?m=${[...state.chosen].join(",")}`;
    else go.removeAttribute("href");
    go.classList.toggle("ready", ready);
  };
}

function facet(column, data, act) {
  const title = element("span", {}, column.head);
  const values = element("fieldset", {}, element("legend", {}, column.head));
  const box = dropdown(title, values);
  const inputs = new Map();
  function show(state) {
    const chosen = state.facets[column.key];
    title.textContent = chosen.size ? `${column.head}: ${[...chosen].join(", ")}` : column.head;
    box.classList.toggle("used", chosen.size > 0);
    const found = counts(data, state, column);
    for (const [kind, entry] of inputs) entry.label.hidden = !found.has(kind) && !chosen.has(kind);
    for (const kind of [...found.keys(), ...chosen]) {
      if (!inputs.has(kind)) {
        const count = element("span", { className: "count" });
        const [label, input] = checkbox(kind, () => act.facet(column.key, kind, input.checked), count);
        inputs.set(kind, { label, input, count });
        values.append(label);
      }
      const entry = inputs.get(kind);
      entry.label.hidden = false;
      entry.input.checked = chosen.has(kind);
      entry.count.textContent = found.get(kind) ?? 0;
      entry.label.classList.toggle("empty", !found.get(kind));
    }
    const labels = [...found.keys()].map((kind) => inputs.get(kind).label);
    // Moving the label that has the focus would lose it: only where the order is another.
    const inOrder = [...values.querySelectorAll("label")].filter((label) => labels.includes(label));
    if (inOrder.length !== labels.length || inOrder.some((label, i) => label !== labels[i])) values.append(...labels);
  }
  return { box, show };
}

function choice(act) {
  const inputs = SOURCES.map((source) => {
    const input = element("input", { type: "radio", name: "source", value: source });
    input.addEventListener("change", () => act.source(source));
    return { source, input, label: element("label", {}, input, NAMES[source]) };
  });
  const box = group("Cells show", inputs.map((i) => i.label));
  box.className = "switch";
  return { box, show: (state) => inputs.forEach((i) => (i.input.checked = i.source === state.source)) };
}

function group(legend, children) {
  return element("fieldset", {}, element("legend", {}, legend), ...children);
}

function checkbox(text, changed, ...more) {
  const input = element("input", { type: "checkbox" });
  input.addEventListener("change", changed);
  return [element("label", {}, input, element("span", {}, text), ...more), input];
}

function button(text, clicked) {
  const made = element("button", { type: "button" }, text);
  made.addEventListener("click", clicked);
  return made;
}
