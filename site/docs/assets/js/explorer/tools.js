// The controls above the picture. They are made once; `show` brings them to a state.

import { dropdown, element } from "../dom.js";
import { GROUPS, capital, viewOf } from "./state.js";

const WORDS = { family: "Family of the method", type: "Type in the survey's taxonomy", none: "All the same" };

/** Put the controls into `place`. `act` has a function for each thing that a reader can do. */
export function tools(place, data, act) {
  const models = new Map(data.views.map((view) => [view.model, view.modelName]));
  const sources = new Map(data.views.map((view) => [view.source, view.sourceName]));
  const model = picker("Model", act.model, [...models].map(([key, name]) => option(key, name)));
  const source = picker("Source", act.source, [...sources].map(([key, name]) => option(key, name)));
  const axes = ["y", "x", "size", "colour"].map((axis) =>
    [axis, picker({ x: "Across", y: "Up", size: "Size", colour: "Colour" }[axis], (key) => act.axis(axis, key))]);
  const logs = ["y", "x"].map((axis) => [axis, checkbox(`Logarithmic ${axis === "x" ? "across" : "up"}`, (on) => act.log(axis, on))]);
  const baseline = checkbox("Full tuning", act.baseline);
  const saves = ["SVG", "PNG", "CSV"].map((format) => button(format, () => act.save(format)));
  const status = element("p", { className: "status", role: "status" });
  place.replaceChildren(
    element("div", { className: "bar" }, source.label, model.label, ...axes.map(([, one]) => one.label), ...logs.map(([, one]) => one.label), baseline.label,
      dropdown("Download", element("fieldset", {}, element("legend", {}, "Download as"), ...saves))),
    status,
  );

  return function show(state, { logs: drawn, baseline: full }, said) {
    const view = viewOf(data, state.source, state.model);
    source.select.value = state.source;
    model.select.value = state.model;
    for (const [axis, { select }] of axes) {
      const more = axis === "size" ? ["none"] : axis === "colour" ? GROUPS : [];
      select.replaceChildren(
        ...more.map((key) => option(key, WORDS[key])),
        ...view.quantities.map(({ key, name, tier }) => option(key, `${capital(name)} (${data.tiers[tier]})`)),
      );
      select.value = state[axis];
    }
    for (const [axis, { input }] of logs) input.checked = drawn[axis];
    baseline.label.hidden = !full;
    baseline.input.checked = Boolean(full?.shown);
    status.textContent = said;
  };
}

function option(value, name) {
  return element("option", { value }, name);
}

function picker(name, chosen, options = []) {
  const select = element("select", {}, ...options);
  select.addEventListener("change", () => chosen(select.value));
  return { select, label: element("label", {}, `${name} `, select) };
}

function checkbox(name, changed) {
  const input = element("input", { type: "checkbox" });
  input.addEventListener("change", () => changed(input.checked));
  return { input, label: element("label", { className: "check" }, input, ` ${name}`) };
}

function button(name, clicked) {
  const made = element("button", { type: "button" }, name);
  made.addEventListener("click", clicked);
  return made;
}
