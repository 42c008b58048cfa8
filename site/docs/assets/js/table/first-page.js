// Runs before the table is read: a thousand rows take long to lay out, so later pages wait for the table's script.
// Should it never come, they are shown a while after the page is there.

{
  const rows = Number(document.currentScript.dataset.rows);
  const style = document.createElement("style");
  style.textContent = `@media screen { #methods-table:not([data-ready]) tr:nth-child(n + ${rows + 1}) { display: none; } }`;
  document.head.append(style);
  addEventListener("load", () => setTimeout(() => style.remove(), 10000));
}
