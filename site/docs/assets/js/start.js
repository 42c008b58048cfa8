// Loads a page's own scripts where the page has a place for them. Every page is complete without.

import { start } from "./theme.js";

const scripts = {
  "methods-table": "./table/main.js",
  comparison: "./compare/main.js",
  "home-search": "./home.js",
};

start();
for (const [id, script] of Object.entries(scripts)) {
  const place = document.getElementById(id);
  if (place) import(script).then((module) => module.start(place));
}
