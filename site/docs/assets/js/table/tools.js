// The controls above the table. They are made once; `show` brings them to a state.

import { dropdown, element } from "../dom.js";
import { saveButtons } from "../sheet.js";
import { rangeBox } from "./ranges.js";
import { counts } from "./rows.js";
import { MOST, SOURCES, range, written } from "./state.js";

const NAMES = { both: "Both", claimed: "Claimed", measured: "Measured" };

/** Put the controls into `place`. `act` has a function for each thing that a reader can do. */
export function tools(place, data, act) {
  const text = element("input", { type: "search", placeholder: "Filter by name", "aria-label": "Filter by name" });
  text.addEventListener("input", () => act.text(text.value));
  const facets = data.columns.filter((column) => column.facet || column.ranges.length)
    .map((column) => (column.facet ? facet(column, data, act) : rangeBox(column, act)));
  const quick = data.quick.map((one) => shortcut(one, act));
  const model = element("select", {}, ...data.models.map(({ id, name }) => element("option", { value: id }, name)));
  model.addEventListener("change", () => act.model(model.value));
  const source = choice(act);
  const columns = data.columns.filter((column) => column.key !== "name").map((column) => {
    const [label, box] = checkbox(column.head, () => act.column(column.key, box.checked));
    return { key: column.key, label, box };
  });
  const save = saveButtons(act.sheet);
  const clear = button("Clear filters", act.clear);
  const status = element("p", { className: "status", role: "status" });
  const go = element("a", { className: "md-button go" });
  const none = button("Choose none", act.chooseNone);

  const filters = element("details", { className: "filters" },
    element("summary", {}, "All filters"), element("div", { className: "bar" }, ...facets.map((f) => f.box)));
  let current = null;
  const inside = () => filters.open && facets.forEach((f) => f.show(current)); // who does not look does not wait for it
  filters.addEventListener("toggle", inside);
  place.replaceChildren(
    element("div", { className: "bar" }, text, ...quick.map((q) => q.box), filters, clear),
    element("div", { className: "bar" }, element("label", { className: "model" }, "Measured on ", model), source.box,
      dropdown("Columns", group("Columns", columns.map((c) => c.label))), save.box, status,
      element("span", { className: "chosen" }, none, go)),
  );

  return function show(state, left, compare) {
    if (text.value !== state.text) text.value = state.text;
    current = state;
    inside();
    quick.forEach((q) => q.show(state));
    model.value = state.model;
    source.show(state);
    columns.forEach((c) => (c.box.checked = state.columns.has(c.key)));
    clear.hidden = !state.text && Object.values(state.facets).every((values) => !values.size) && !Object.values(state.ranges).some(Boolean);
    const follow = state.source === "measured" ? "measured" : "claimed";
    status.textContent = `${left} of ${data.rows.length} methods. Sorted by what is ${follow}.`;
    save.label.textContent = state.chosen.size ? `Save the ${state.chosen.size} ticked` : "Save";
    none.hidden = !state.chosen.size;
    const ready = state.chosen.size >= 2;
    go.textContent = ready ? `Compare ${state.chosen.size} methods` : `Compare: choose 2 to ${MOST}`;
    const on = state.model === data.models[0].id ? "" : `&model=${state.model}`;
    if (ready) go.href = `${compare}?m=${[...state.chosen].join(",")}${on}`;
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

/** A filter of one click: a value of a facet, or a range. */
function shortcut({ text, key, value }, act) {
  const asked = range(value);
  const on = (state) => (asked ? state.ranges[key] && written(state.ranges[key]) === value : state.facets[key].has(value));
  const box = button(text, () => {
    const wanted = box.getAttribute("aria-pressed") === "false";
    if (asked) act.range(key, wanted ? asked : null);
    else act.facet(key, value, wanted);
  });
  box.className = "quick";
  return { box, show: (state) => box.setAttribute("aria-pressed", Boolean(on(state))) };
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
