// A link to a place inside a fold, or to the heading of one, opens it: browsers and the theme open some of these only.

export function start() {
  addEventListener("hashchange", reveal);
  reveal();
}

function reveal() {
  const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!place) return;
  const closed = [];
  const fold = place.nextElementSibling;
  if (fold?.matches("details.fold:not([open])")) closed.push(fold);
  for (let box = place.closest("details"); box; box = box.parentElement.closest("details")) {
    if (!box.open) closed.push(box);
  }
  if (!closed.length) return;
  for (const box of closed) box.open = true;
  place.scrollIntoView();
}
