// The table of methods, made sortable and filterable. The rows are those of the page; only their order and number change.

import { data as load, element } from "../dom.js";
import { sheet } from "./exports.js";
import { grid } from "./grid.js";
import { keys } from "./keys.js";
import { models } from "./models.js";
import { ordered } from "./rows.js";
import { BY_NAME, MOST, SOURCES, read, write } from "./state.js";
import { tools } from "./tools.js";

export async function start(place) {
  const data = await load("methods-table.json");
  const ids = new Set(data.rows.map((row) => row.id));
  const compareAddress = document.getElementById("compare-link").href;
  const rows = Number(document.getElementById("first-page").dataset.rows);
  let state = read(location.search, data, ids);
  const table = grid(place.querySelector("table"), data.columns, rows, sortBy);
  const boxes = addBoxes(table.lines, data.rows);
  const on = models(data, table);

  const show = tools(document.getElementById("methods-tools"), data, {
    text: (text) => change({ text }, true),
    facet(key, kind, on) {
      const values = new Set(state.facets[key]);
      if (on) values.add(kind);
      else values.delete(kind);
      change({ facets: { ...state.facets, [key]: values } });
    },
    range: (key, range) => change({ ranges: { ...state.ranges, [key]: range } }),
    clear: () => change({ text: "", ranges: {}, facets: Object.fromEntries(Object.keys(state.facets).map((key) => [key, new Set()])) }),
    model: (model) => change({ model }),
    source: (source) => change({ source }),
    column(key, on) {
      const shown = new Set(state.columns);
      if (on) shown.add(key);
      else shown.delete(key);
      change({ columns: shown });
    },
    chooseNone: () => change({ chosen: new Set() }),
    sheet: () => sheet(data, state, ordered(data, state)),
  });

  function change(part, typing = false) {
    state = { ...state, ...part };
    const address = write(state, data) || location.pathname;
    if (typing) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    apply();
  }

  function sortBy(key) {
    const descending = state.sort ? state.sort.key === key && !state.sort.descending : key === BY_NAME.key;
    change({ sort: key === BY_NAME.key && !descending ? null : { key, descending } });
  }

  async function apply() {
    const wanted = state;
    await on.fetched(wanted.model);
    if (wanted !== state) return; // the reader has chosen something else meanwhile
    on.show(state.model);
    for (const source of SOURCES) place.classList.toggle(source, source === state.source);
    const order = ordered(data, state);
    table.show(order, state.sort ?? BY_NAME, state.columns);
    for (const [id, box] of boxes) {
      box.checked = state.chosen.has(id);
      box.disabled = !box.checked && state.chosen.size >= MOST;
    }
    show(state, order.length, compareAddress);
  }

  for (const [id, box] of boxes) {
    box.addEventListener("change", () => {
      const chosen = new Set(state.chosen);
      if (box.checked) chosen.add(id);
      else chosen.delete(id);
      change({ chosen });
    });
  }
  addEventListener("popstate", () => {
    state = read(location.search, data, ids);
    apply();
  });
  await apply();
  place.dataset.ready = ""; // the tools answer, and rows that nobody sees yet wait no longer
  await new Promise((done) => (window.requestIdleCallback ?? setTimeout)(done));
  keys(place.querySelector("tbody"), table.lines);
  place.dataset.all = "";
}

/** A checkbox for comparing before each name, by the method's id. */
function addBoxes(lines, rows) {
  return new Map(
    rows.map((row, index) => {
      const box = element("input", { type: "checkbox", className: "choose", "aria-label": `Choose ${row.name} to compare` });
      lines[index].cells[0].prepend(box, " ");
      return [row.id, box];
    }),
  );
}
