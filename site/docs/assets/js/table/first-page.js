// Runs before the table is read. Browsers take long to style and lay out what is large, and the theme's script makes them do it
// half a dozen times. So all rows but the first, and the columns that are not shown at first, wait until the table's script
// has put the tools there; the room is kept. Should it never come, they are shown a while after the page is there.

{
  const FIRST = 10;
  const { count, hidden } = document.currentScript.dataset;
  const columns = hidden.split(" ").map((place) => `:nth-child(${place})`);
  const style = document.createElement("style");
  style.textContent = `@media screen {
    #methods-table:not([data-all]) { min-height: min(85vh, ${count} * 1.3rem); }
    #methods-table:not([data-all]) tbody tr:nth-child(n + ${FIRST + 1}),
    #methods-table table:not(.dataTable) :is(th, td):is(${columns}) { display: none; }
  }`;
  document.head.append(style);
  addEventListener("load", () => setTimeout(() => style.remove(), 10000));
}
