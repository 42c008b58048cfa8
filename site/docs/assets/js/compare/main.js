// The picker of the comparison. Which methods are compared stands in the address: ?m=lora,ia3

import { data, element } from "../dom.js";
import { view } from "./view.js";

const LEAST = 2;
const MOST = 5;

export async function start(place) {
  const index = await data("compare.json");
  // The page's own links know where methods' pages are, whatever the generator calls them.
  const links = [...document.querySelectorAll("#compare-all a")];
  const methods = new Map(index.methods.map((method, i) => [method.id, { ...method, href: links[i].href }]));
  const first = place.dataset.chosen.split(",");
  const written = [...place.childNodes];
  let state = read();

  const chips = element("span", { className: "chips" });
  const add = element("select", { "aria-label": "Add a method" });
  const differing = element("input", { type: "checkbox" });
  const status = element("p", { className: "status", role: "status" });
  document.getElementById("compare-tools").replaceChildren(
    element("div", { className: "bar" }, chips, add, element("label", {}, differing, " Only what differs"), status),
  );
  add.addEventListener("change", () => change({ chosen: [...state.chosen, add.value] }));
  differing.addEventListener("change", () => change({ differing: differing.checked }));
  addEventListener("popstate", () => {
    state = read();
    apply();
  });

  function read() {
    const asked = new URLSearchParams(location.search);
    const named = [...new Set((asked.get("m") ?? "").split(",").filter(Boolean))];
    const known = named.filter((id) => methods.has(id));
    const unknown = named.filter((id) => !methods.has(id)).map((id) => `There is no method ${id}.`);
    const over = known.slice(MOST).map((id) => `${methods.get(id).name} is one too many.`);
    const chosen = asked.has("m") ? known.slice(0, MOST) : first;
    return { chosen, differing: asked.get("differing") === "yes", faults: [...unknown, ...over] };
  }

  function change(part) {
    state = { ...state, faults: [], ...part };
    history.pushState(null, "", `?m=${state.chosen.join(",")}${state.differing ? "&differing=yes" : ""}`);
    apply();
  }

  async function apply() {
    const wanted = state;
    pick();
    if (wanted.chosen.join() === first.join() && !wanted.differing) {
      place.replaceChildren(...written);
    } else if (wanted.chosen.length) {
      const loaded = await Promise.all(wanted.chosen.map(load));
      if (wanted !== state) return; // the reader has picked others meanwhile
      place.replaceChildren(...view(index.rows, loaded, wanted.differing));
    } else {
      place.replaceChildren();
    }
    const few = LEAST - wanted.chosen.length;
    const more = few > 0 ? ` Add ${few === 1 ? "one more" : "two"} to compare.` : "";
    status.textContent = [`${wanted.chosen.length} of at most ${MOST} methods.${more}`, ...wanted.faults].join(" ");
    place.dataset.ready = wanted.chosen.join(",");
  }

  async function load(id) {
    const method = methods.get(id);
    if (!method.cells) Object.assign(method, await data(`compare/${id}.json`));
    return method;
  }

  function pick() {
    chips.replaceChildren(...state.chosen.map((id) => {
      const { name } = methods.get(id);
      const chip = element("button", { type: "button", "aria-label": `Remove ${name}` }, `${name} ×`);
      chip.addEventListener("click", () => {
        change({ chosen: state.chosen.filter((other) => other !== id) });
        (chips.querySelector("button") ?? add).focus();
      });
      return chip;
    }));
    const others = [...methods.values()].filter(({ id }) => !state.chosen.includes(id));
    const options = others.map(({ id, name }) => element("option", { value: id }, name));
    add.replaceChildren(element("option", { value: "", disabled: true, selected: true }, "Add a method …"), ...options);
    add.disabled = state.chosen.length >= MOST;
    differing.checked = state.differing;
  }

  await apply();
}
