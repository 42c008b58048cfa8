// Runs before the table is read. Browsers take long to style and lay out what is large, and the theme's script makes them do it
// half a dozen times. So all rows but the first, and the columns that are not shown at first, wait until the table's script
// has put the tools there. The room is kept: the rows that make columns wide count already, though nobody sees them.
// Should the script never come, all is shown a while after the page is there. While rows arrive there is no table: each wide
// one would push columns aside.

{
  const FIRST = 10;
  const { count, hidden, widest } = document.currentScript.dataset;
  const places = (numbers) => numbers.split(" ").map((place) => `:nth-child(${place})`);
  const style = document.createElement("style");
  style.textContent = `@media screen {
    #methods-table:not([data-all]) { min-height: min(85vh, ${count} * 1.3rem); }
    #methods-table:not([data-all]) tbody tr:nth-child(n + ${FIRST + 1}) { display: none; }
    #methods-table:not([data-all]) tbody tr:nth-child(n + ${FIRST + 1}):is(${places(widest)}) { display: table-row; visibility: collapse; }
    #methods-table:not([data-whole]) table { display: none; }
    #methods-table:not([data-ready]) :is(th, td):is(${places(hidden)}) { display: none; }
  }`;
  document.head.append(style);
  addEventListener("DOMContentLoaded", () => (document.getElementById("methods-table").dataset.whole = ""));
  addEventListener("load", () => setTimeout(() => style.remove(), 10000));
}
