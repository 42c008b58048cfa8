// The comparison of the picked methods, laid out as the page's own one is.

import { element } from "../dom.js";

/** Elements that show the methods side by side. */
export function view(lines, methods) {
  const facts = [...bySection(lines)].flatMap(([section, rows]) => [element("h2", {}, section), table(methods, rows)]);
  const code = methods.flatMap((method) => [element("h3", {}, method.name), ...blocks(method.code)]);
  return [...facts, element("h2", {}, "Code"), ...code];
}

/** The rows { section, head, cells } that say something; with `differing`, only those whose cells are not all the same. */
export function lines(rows, methods, differing) {
  return rows.flatMap(({ section, head }, index) => {
    const cells = methods.map((method) => method.cells[index]);
    const nothing = cells.every((cell) => !cell.length) || (differing && new Set(cells.map(textOf)).size === 1);
    return nothing ? [] : [{ section, head, cells }];
  });
}

/** What a cell says, in one line. */
export const textOf = (cell) => cell.map((line) => line.map((piece) => piece.text).join("").trim()).join("; ");

/** Rows and methods with the figures of a model, of which `measured` has those of each method by column. */
export function onModel({ rows, models }, methods, model, measured) {
  if (!measured) return { rows, methods };
  const moved = (row) => (row.section === models[0].section ? { ...row, section: model.section } : row);
  const cell = (method, old, { column }) => {
    if (!column || !old.length) return old;
    const { text } = measured[method.id][column];
    const claims = old.filter(([first]) => first.text === "claimed ");
    return [...claims, [...(claims.length ? [{ text: "measured ", kind: "source" }] : []), { text, kind: "" }]];
  };
  return {
    rows: rows.map(moved),
    methods: methods.map((method) => ({ ...method, cells: method.cells.map((old, index) => cell(method, old, rows[index])) })),
  };
}

function bySection(lines) {
  const found = new Map();
  for (const line of lines) found.set(line.section, [...(found.get(line.section) ?? []), line]);
  return found;
}

function table(methods, lines) {
  const heads = methods.map((m) => element("th", { scope: "col" }, element("a", { href: m.href }, m.name)));
  const property = element("th", { scope: "col" }, element("span", { className: "absent" }, "Property"));
  const body = lines.map(({ head, cells }) =>
    element("tr", {}, element("th", { scope: "row" }, head), ...cells.map((cell, i) => element("td", {}, ...content(cell, methods[i])))),
  );
  return element("div", { className: "md-typeset__scrollwrap" },
    element("div", { className: "md-typeset__table" },
      element("table", {}, element("thead", {}, element("tr", {}, property, ...heads)), element("tbody", {}, ...body))));
}

function content(cell, method) {
  if (!cell.length) return ["–"];
  return cell.flatMap((line, i) => [...(i ? [element("br")] : []), ...line.map((piece) => shown(piece, method))]);
}

function shown({ text, kind, anchor, title }, method) {
  const made = kind === "code" ? element("code", {}, text) : element("span", { className: kind, title }, text);
  return anchor ? element("a", { href: `${method.href}#${anchor}` }, made) : made;
}

function blocks(code) {
  if (!code.length) return [element("p", {}, "As far as we know, no library has a class for it; its page lists other code.")];
  return code.flatMap((block) => [
    element("p", {}, element("strong", {}, block.title)),
    element("pre", {}, element("code", {}, block.code)),
    ...block.notes.map((note) => element("p", {}, note)),
  ]);
}
