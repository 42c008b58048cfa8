// The measured columns on another model than that of the page: in the data, the cells and the heads.

import { data as load, element } from "../dom.js";

/** A function that brings everything to a model; what the page has for its own model comes back as it was. */
export function models(data, table) {
  const [own] = data.models;
  const columns = data.columns.map((column, index) => ({ ...column, index })).filter((column) => column.onModel);
  const measured = new Map([[own.id, Object.fromEntries(data.rows.map((row) => [row.id, said(row)]))]]);
  const cells = new Map();
  let shown = own.id;

  function said(row) {
    return Object.fromEntries(columns.map(({ key }) => [key, row.cells[key].measured]));
  }

  /** Fetch what is measured on a model; `show` needs it. */
  async function fetched(id) {
    if (!measured.has(id)) measured.set(id, await load(`methods-on/${id}.json`));
  }

  function show(id) {
    if (id === shown) return;
    shown = id;
    const { name } = data.models.find((model) => model.id === id);
    for (const column of columns) {
      const head = table.heads[column.index].querySelector(".on-model");
      head.textContent = column.sources.length > 1 ? `claimed · ${name}` : name;
      data.rows.forEach((row, index) => {
        row.cells[column.key].measured = measured.get(id)[row.id][column.key];
        fill(table.lines[index].cells[column.index], table.lines[index], row, column, id);
      });
    }
  }

  function fill(cell, line, row, column, id) {
    if (!cells.has(cell)) cells.set(cell, [...cell.childNodes]);
    if (id === own.id) return cell.replaceChildren(...cells.get(cell));
    const { text, number } = row.cells[column.key].measured;
    const absent = column.numeric && number === null;
    const value = element("span", absent ? { className: "absent", title: text } : {}, absent ? "–" : text);
    const href = `${line.querySelector("strong a").href}#${column.anchor ?? "configurations"}`;
    const link = absent ? value : element("a", { href, tabIndex: -1 }, value);
    const claims = cells.get(cell).filter((node) => node.className === "claimed");
    if (!claims.length) return cell.replaceChildren(link);
    const said = element("span", { className: "measured" }, element("span", { className: "source" }, "measured"), " ", link);
    cell.replaceChildren(...claims, " ", said);
  }

  return { fetched, show };
}
