// The picker of the comparison. Which methods are compared, and on which model, stands in the address: ?m=lora,ia3&model=t5-3b

import { data, element } from "../dom.js";
import { saveButtons } from "../sheet.js";
import { caption } from "../table/exports.js";
import { lines, onModel, textOf, view } from "./view.js";

const LEAST = 2;
const MOST = 5;
const PROSE = "In words"; // a section that no table of a paper has

export async function start(place) {
  const index = await data("compare.json");
  // The page's own links know where methods' pages are, whatever the generator calls them.
  const links = [...document.querySelectorAll("#compare-all a")];
  const methods = new Map(index.methods.map((method, i) => [method.id, { ...method, href: links[i].href }]));
  const first = place.dataset.chosen.split(",");
  const written = [...place.childNodes];
  let state = read();

  const chips = element("span", { className: "chips" });
  const add = element("select", { "aria-label": "Add a method" });
  const differing = element("input", { type: "checkbox" });
  const model = element("select", {}, ...index.models.map(({ id, name }) => element("option", { value: id }, name)));
  let shown = []; // what stands on the page, for files
  const save = saveButtons(sheet);
  const status = element("p", { className: "status", role: "status" });
  document.getElementById("compare-tools").replaceChildren(
    element("div", { className: "bar" }, chips, add),
    element("div", { className: "bar" }, element("label", { className: "model" }, "Measured on ", model),
      element("label", {}, differing, " Only what differs"), save.box, status),
  );
  model.addEventListener("change", () => change({ model: model.value }));
  add.addEventListener("change", () => change({ chosen: [...state.chosen, add.value] }));
  differing.addEventListener("change", () => change({ differing: differing.checked }));
  addEventListener("popstate", () => {
    state = read();
    apply();
  });

  function read() {
    const asked = new URLSearchParams(location.search);
    const named = [...new Set((asked.get("m") ?? "").split(",").filter(Boolean))];
    const known = named.filter((id) => methods.has(id));
    const unknown = named.filter((id) => !methods.has(id)).map((id) => `There is no method ${id}.`);
    const over = known.slice(MOST).map((id) => `${methods.get(id).name} is one too many.`);
    const chosen = asked.has("m") ? known.slice(0, MOST) : first;
    const on = index.models.find(({ id }) => id === asked.get("model")) ?? index.models[0];
    return { chosen, model: on.id, differing: asked.get("differing") === "yes", faults: [...unknown, ...over] };
  }

  function change(part) {
    state = { ...state, faults: [], ...part };
    const on = state.model === index.models[0].id ? "" : `&model=${state.model}`;
    history.pushState(null, "", `?m=${state.chosen.join(",")}${on}${state.differing ? "&differing=yes" : ""}`);
    apply();
  }

  async function apply() {
    const wanted = state;
    pick();
    const on = index.models.find(({ id }) => id === wanted.model);
    const other = on === index.models[0] ? null : data(`methods-on/${on.id}.json`);
    const loaded = await Promise.all(wanted.chosen.map(load));
    const compared = onModel(index, loaded, on, await other);
    if (wanted !== state) return; // the reader has picked others meanwhile
    shown = lines(compared.rows, compared.methods, wanted.differing);
    if (wanted.chosen.join() === first.join() && !other && !wanted.differing) place.replaceChildren(...written);
    else place.replaceChildren(...(loaded.length ? view(shown, compared.methods) : []));
    const few = LEAST - wanted.chosen.length;
    const more = few > 0 ? ` Add ${few === 1 ? "one more" : "two"} to compare.` : "";
    status.textContent = [`${wanted.chosen.length} of at most ${MOST} methods.${more}`, ...wanted.faults].join(" ");
    place.dataset.ready = wanted.chosen.join(",");
  }

  async function load(id) {
    const method = methods.get(id);
    if (!method.cells) Object.assign(method, await data(`compare/${id}.json`));
    return method;
  }

  function sheet() {
    const names = state.chosen.map((id) => methods.get(id).name);
    const on = index.models.find(({ id }) => id === state.model);
    const cell = (text) => ({ text, number: null });
    return {
      name: "comparison",
      caption: caption(index.setting, on.name),
      columns: ["Property", ...names].map((head, i) => ({ key: i ? state.chosen[i - 1] : "property", head, numeric: false })),
      rows: shown.filter(({ section }) => section !== PROSE)
        .map(({ section, head, cells }) => [cell(section === on.section ? head : `${head} (${section})`), ...cells.map((one) => cell(textOf(one) || "–"))]),
    };
  }

  function pick() {
    chips.replaceChildren(...state.chosen.map((id) => {
      const { name } = methods.get(id);
      const chip = element("button", { type: "button", "aria-label": `Remove ${name}` }, `${name} ×`);
      chip.addEventListener("click", () => {
        change({ chosen: state.chosen.filter((other) => other !== id) });
        (chips.querySelector("button") ?? add).focus();
      });
      return chip;
    }));
    const others = [...methods.values()].filter(({ id }) => !state.chosen.includes(id));
    const options = others.map(({ id, name }) => element("option", { value: id }, name));
    add.replaceChildren(element("option", { value: "", disabled: true, selected: true }, "Add a method …"), ...options);
    add.disabled = state.chosen.length >= MOST;
    differing.checked = state.differing;
    model.value = state.model;
  }

  await apply();
}
