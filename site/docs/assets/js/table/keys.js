// One tab stop a row: Tab goes from name to name, and the arrow keys go to the other links and the box of a row.

/** Let only the name's link of each row be reached with Tab. */
export function keys(body, rows) {
  const stops = (row) => [...row.querySelectorAll("input, a")];
  for (const row of rows) {
    for (const stop of stops(row)) stop.tabIndex = stop.matches("strong a") ? 0 : -1;
  }
  body.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    const here = stops(row).indexOf(event.target);
    const next = {
      ArrowLeft: () => stops(row)[here - 1],
      ArrowRight: () => stops(row)[here + 1],
      ArrowUp: () => row.previousElementSibling && stops(row.previousElementSibling)[here],
      ArrowDown: () => row.nextElementSibling && stops(row.nextElementSibling)[here],
    }[event.key]?.();
    if (here < 0 || !next || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    next.focus();
  });
}
