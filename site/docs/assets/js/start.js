// Loads a page's own scripts where the page has a place for them. Every page is complete without.

import { start as openFolds } from "./folds.js";
import { start as mendTheme } from "./theme.js";

const scripts = {
  "methods-table": "./table/main.js",
  comparison: "./compare/main.js",
  explorer: "./explorer/main.js",
  "choose-form": "./choose/main.js",
  "home-search": "./home.js",
  "cite-page": "./cite.js",
};

mendTheme();
openFolds();
const places = Object.keys(scripts).filter((id) => document.getElementById(id));
await Promise.all(places.map(async (id) => (await import(scripts[id])).start(document.getElementById(id))));
document.documentElement.dataset.started = ""; // from here on nothing of the page is rebuilt unasked
