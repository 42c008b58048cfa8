// The rows of the table as they are asked for: in an order, a page of them at a time, under heads that sort.

import { element } from "../dom.js";

/**
 * What shows rows and columns of the page's own table.
 * `rows` are at most on a page; `sortBy` is told the key of a head that is used.
 */
export function grid(table, columns, rows, sortBy) {
  const body = table.tBodies[0];
  const lines = [...body.rows];
  const none = element("tr", {}, element("td", { className: "none", colSpan: columns.length }, "No method meets all conditions."));
  const heads = columns.map((column, index) => head(table.tHead.rows[0].cells[index], column, sortBy));
  const unseen = document.head.appendChild(element("style"));
  const pager = element("nav", { className: "pager", "aria-label": "Pages of the table" });
  if (lines.length > rows) table.after(pager);
  table.className = "lean"; // the theme gives wide margins to tables without a class
  let order = lines;
  let shown = lines;
  let current = 0;

  function fill(page) {
    const wanted = order.length ? order.slice(page * rows, (page + 1) * rows) : [none];
    if (!same(wanted, shown)) body.replaceChildren(...wanted);
    shown = wanted;
    const pages = Math.ceil(order.length / rows);
    while (pager.childElementCount > pages) pager.lastChild.remove();
    while (pager.childElementCount < pages) pager.append(button(pager.childElementCount));
    [...pager.children].forEach((each, place) => mark(each, "aria-current", place === page && "page"));
    pager.hidden = pages < 2;
    current = page;
  }

  function button(page) {
    const made = element("button", { type: "button", "aria-label": `Page ${page + 1}` }, String(page + 1));
    made.addEventListener("click", () => fill(page));
    return made;
  }

  /** Show rows by their numbers, from the first page on if they are others, and the columns of some keys; heads say `sort`. */
  function show(numbers, sort, keys) {
    const before = order;
    order = numbers.map((number) => lines[number]);
    fill(same(before, order) ? current : 0);
    heads.forEach((each, index) => {
      mark(each, "aria-sort", columns[index].key === sort.key && (sort.descending ? "descending" : "ascending"));
    });
    const places = columns.flatMap(({ key }, index) => (keys.has(key) ? [] : [`:nth-child(${index + 1})`]));
    unseen.textContent = places.length ? `#methods-table :is(th, td):is(${places}) { display: none; }` : "";
  }

  return { lines, heads, show };
}

/** A head with a button; it sorts wherever it is clicked. */
function head(cell, { key, head: name }, sortBy) {
  const title = element("span", { className: "title" }, ...cell.childNodes);
  const button = element("button", { type: "button", className: "sort", "aria-label": `Sort by ${name}` });
  cell.replaceChildren(element("div", { className: "head" }, title, button));
  cell.addEventListener("click", () => sortBy(key));
  return cell;
}

const same = (some, others) => some.length === others.length && some.every((one, place) => one === others[place]);

const mark = (each, name, value) => (value ? each.setAttribute(name, value) : each.removeAttribute(name));
