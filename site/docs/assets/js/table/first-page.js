// Runs while the page is read, before the table: rows that the table's script will put on later pages are not laid out
// meanwhile, since a thousand take long. Should that script never come, they are shown a while after the page is there.

{
  const later = `#methods-table:not([data-ready]) tbody tr:nth-child(n + ${Number(document.currentScript.dataset.rows) + 1})`;
  const style = document.createElement("style");
  style.textContent = `@media screen { ${later} { display: none; } }`;
  document.head.append(style);
  addEventListener("load", () => setTimeout(() => style.remove(), 10000));
}
