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
  const byName = new Map(index.methods.flatMap(({ id, name }) => [[id, id], [name.toLowerCase(), id]]));
  const first = place.dataset.chosen.split(",");
  const written = [...place.childNodes];
  let state = read();

  const chips = element("span", { className: "chips" });
  const known = element("datalist", { id: "compare-names" });
  const add = element("input", { type: "search", "aria-label": "Add a method", placeholder: "Add a method, or several: LoRA, DoRA" });
  add.setAttribute("list", known.id);
  const differing = element("input", { type: "checkbox" });
  const model = element("select", {}, ...index.models.map(({ id, name }) => element("option", { value: id }, name)));
  let shown = []; // what stands on the page, for files
  const save = saveButtons(sheet);
  const status = element("p", { className: "status", role: "status" });
  document.getElementById("compare-tools").replaceChildren(
    element("div", { className: "bar" }, chips, add, known),
    element("div", { className: "bar" }, element("label", { className: "model" }, "Measured on ", model),
      element("label", {}, differing, " Only what differs"), save.box, status),
  );
  model.addEventListener("change", () => change({ model: model.value }));
  add.addEventListener("change", named);
  add.addEventListener("input", (event) => { // a name that is taken from the list, not typed
    if (event.inputType === "insertReplacementText" || !event.inputType) named();
  });
  differing.addEventListener("change", () => change({ differing: differing.checked }));
  addEventListener("popstate", () => {
    state = read();
    apply();
  });

  function read() {
    const asked = new URLSearchParams(location.search);
    const on = index.models.find(({ id }) => id === asked.get("model")) ?? index.models[0];
    const picked = asked.has("m") ? among(asked.get("m").split(",")) : { chosen: first, faults: [] };
    return { ...picked, model: on.id, differing: asked.get("differing") === "yes" };
  }

  /** The methods of some ids or names, as many as there is room for, and what is wrong with the others. */
  function among(asked) {
    const words = [...new Set(asked.map((word) => word.trim()).filter(Boolean))];
    const found = words.map((word) => byName.get(word.toLowerCase()));
    const there = [...new Set(found.filter(Boolean))];
    const unknown = words.filter((_, i) => !found[i]).map((word) => `There is no method ${word}.`);
    const over = there.slice(MOST).map((id) => `${methods.get(id).name} is one too many.`);
    return { chosen: there.slice(0, MOST), faults: [...unknown, ...over] };
  }

  /** What was typed: one method is added, several take the place of those that are compared. */
  function named() {
    const words = add.value.split(",").filter((word) => word.trim());
    if (!words.length) return;
    add.value = "";
    change(among(words.length > 1 ? words : [...state.chosen, ...words]));
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
    known.replaceChildren(...others.map(({ name }) => element("option", { value: name })));
    differing.checked = state.differing;
    model.value = state.model;
  }

  await apply();
}
