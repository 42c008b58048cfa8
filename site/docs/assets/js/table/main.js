// The table of methods, made sortable and filterable. The rows are those of the page; only their order and number change.

import DataTable from "../../vendor/datatables/datatables.min.js";
import { data as load, element } from "../dom.js";
import { sheet } from "./exports.js";
import { keys } from "./keys.js";
import { models } from "./models.js";
import { compare, remaining, sortKey } from "./rows.js";
import { MOST, SOURCES, read, write } from "./state.js";
import { tools } from "./tools.js";

export async function start(place) {
  const data = await load("methods-table.json");
  const columns = data.columns;
  const ids = new Set(data.rows.map((row) => row.id));
  const compareAddress = document.getElementById("compare-link").href;
  const rows = Number(document.getElementById("first-page").dataset.rows);
  let state = read(location.search, data, ids);
  const boxes = addBoxes(place.querySelector("tbody"), data.rows);
  keys(place.querySelector("table"));
  const table = enhance(place.querySelector("table"), data, rows, () => state);
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
    sheet: () => sheet(data, state, table.rows({ order: "applied", search: "applied" }).indexes().toArray()),
  });

  function change(part, typing = false) {
    state = { ...state, ...part };
    const address = write(state, data) || location.pathname;
    if (typing) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    apply();
  }

  let applying = false;
  async function apply() {
    const wanted = state;
    await on.fetched(wanted.model);
    if (wanted !== state) return; // the reader has chosen something else meanwhile
    applying = true;
    on.show(state.model);
    for (const source of SOURCES) place.classList.toggle(source, source === state.source);
    columns.forEach((column, index) => {
      const cells = table.column(index);
      if (cells.visible() !== state.columns.has(column.key)) cells.visible(state.columns.has(column.key), false);
    });
    const left = new Set(remaining(data, state));
    table.search.fixed("view", (text, row, index) => left.has(index));
    const { key, descending } = state.sort ?? { key: "name", descending: false };
    table.order([columns.findIndex((column) => column.key === key), descending ? "desc" : "asc"]);
    table.draw();
    for (const [id, box] of boxes) {
      box.checked = state.chosen.has(id);
      box.disabled = !box.checked && state.chosen.size >= MOST;
    }
    show(state, left.size, compareAddress);
    applying = false;
  }

  table.on("order", () => {
    const [index, direction] = table.order()[0] ?? [];
    if (applying || index === undefined) return;
    const sort = { key: columns[index].key, descending: direction === "desc" };
    change({ sort: sort.key === "name" && !sort.descending ? null : sort });
  });
  // The pager's buttons are made anew for each page: the focus goes to the new one.
  table.on("page", () => {
    if (!place.querySelector(".dt-paging").contains(document.activeElement)) return;
    table.one("draw", () => place.querySelector(".dt-paging [aria-current=page]").focus());
  });
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
  place.dataset.all = "";
}

/** A checkbox for comparing before each name, by the method's id. */
function addBoxes(body, rows) {
  return new Map(
    rows.map((row, index) => {
      const box = element("input", { type: "checkbox", className: "choose", "aria-label": `Choose ${row.name} to compare` });
      body.rows[index].cells[0].prepend(box, " ");
      return [row.id, box];
    }),
  );
}

/** DataTables over the rows, so many to a page; what a cell is sorted by is looked up in the data, by its row's number. */
function enhance(table, data, rows, state) {
  [...table.tBodies[0].rows].forEach((row, index) => {
    for (const cell of row.cells) cell.dataset.order = index;
  });
  for (const column of data.columns) {
    const key = (row) => sortKey(data, data.rows[row], column, state().source);
    for (const [direction, sign] of [["asc", 1], ["desc", -1]]) {
      DataTable.ext.type.order[`${column.key}-${direction}`] = (a, b) => compare(key(a), key(b), sign);
    }
  }
  // DataTables gives events a property that cannot be set, and the theme's clipboard sets it later.
  table.closest("[role=region]").addEventListener("click", (event) => delete event.delegateTarget);
  return new DataTable(table, {
    autoWidth: false,
    info: false,
    language: { emptyTable: "There is no method.", zeroRecords: "No method meets all conditions.",
      aria: { paginate: { number: "Page " } } },
    layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: data.rows.length > rows ? "paging" : null },
    order: [],
    orderDescReverse: false,
    paging: data.rows.length > rows,
    pageLength: rows,
    columnDefs: data.columns.map(({ key }, target) => ({
      targets: target, type: key, orderSequence: ["asc", "desc"], visible: state().columns.has(key),
    })),
  });
}
