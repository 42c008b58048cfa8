// A filter by figures: ranges to choose from, and two bounds to write.

import { dropdown, element } from "../dom.js";
import { written } from "./state.js";

export function rangeBox(column, act) {
  const title = element("span", {}, column.head);
  const presets = column.ranges.map(({ text, low, high }) => {
    const button = element("button", { type: "button" }, text);
    button.addEventListener("click", () => {
      act.range(column.key, button.getAttribute("aria-pressed") === "true" ? null : { low, high });
    });
    return { button, value: written({ low, high }), text };
  });
  const [low, high] = ["at least", "below"].map((word) => {
    const input = element("input", { type: "number", step: "any", "aria-label": `${column.head}: ${word}` });
    input.addEventListener("change", () => act.range(column.key, typed()));
    return { input, label: element("label", {}, word, input) };
  });

  function typed() {
    const [from, to] = [low, high].map(({ input }) => (input.value === "" ? null : Number(input.value)));
    return from === null && to === null ? null : { low: from, high: to };
  }

  const box = dropdown(title, element("fieldset", {}, element("legend", {}, column.head),
    element("div", { className: "presets" }, ...presets.map((one) => one.button)), low.label, high.label));
  function show(state) {
    const range = state.ranges[column.key];
    const preset = range && presets.find(({ value }) => value === written(range));
    title.textContent = range ? `${column.head}: ${preset?.text ?? inWords(range)}` : column.head;
    box.classList.toggle("used", Boolean(range));
    for (const { button, value } of presets) button.setAttribute("aria-pressed", Boolean(range) && value === written(range));
    low.input.value = range?.low ?? "";
    high.input.value = range?.high ?? "";
  }
  return { box, show };
}

const inWords = ({ low, high }) =>
  [low === null ? "" : `at least ${low}`, high === null ? "" : `below ${high}`].filter(Boolean).join(", ");
