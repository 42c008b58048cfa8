// A large field of search on the first page: a button that leads to the site's own.

import { element } from "./dom.js";

export function start(place) {
  const field = document.querySelector("[data-md-component=search-query]");
  if (!field) return;
  const button = element("button", { type: "button" }, "Search methods, tables and findings");
  button.addEventListener("click", () => {
    scrollTo({ top: 0 });
    document.getElementById("__search").click(); // on narrow screens the field is behind this switch
    field.focus();
  });
  place.replaceChildren(button);
}
