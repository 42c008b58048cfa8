// The comparison of the picked methods, laid out as the page's own one is.

import { element } from "../dom.js";

/** Elements that show the methods side by side; with `differing`, only rows whose cells are not all the same. */
export function view(rows, methods, differing) {
  const facts = [...sections(rows, methods, differing)].flatMap(([section, lines]) => [
    element("h2", {}, section),
    table(methods, lines),
  ]);
  const code = methods.flatMap((method) => [element("h3", {}, method.name), ...blocks(method.code)]);
  return [...facts, element("h2", {}, "Code"), ...code];
}

function sections(rows, methods, differing) {
  const found = new Map();
  rows.forEach((row, index) => {
    const cells = methods.map((method) => method.cells[index]);
    const texts = new Set(cells.map((cell) => cell.map((line) => line.map((piece) => piece.text).join("")).join("\n")));
    if (cells.every((cell) => !cell.length) || (differing && texts.size === 1)) return;
    if (!found.has(row.section)) found.set(row.section, []);
    found.get(row.section).push({ head: row.head, cells });
  });
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
  if (!code.length) return [element("p", {}, "No library has a class for it, as far as we know; its page names what was found.")];
  return code.flatMap((block) => [
    element("p", {}, element("strong", {}, block.title)),
    element("pre", {}, element("code", {}, block.code)),
    ...block.notes.map((note) => element("p", {}, note)),
  ]);
}
