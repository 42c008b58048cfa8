// Details of the mark under the pointer or with the focus. One mark can be reached by Tab, the others by arrow keys.

import { element } from "../dom.js";
import { capital } from "./state.js";

const MOVES = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

/** Make the links of marks tell what they are; `links` and `marks` are in the same order. */
export function pointing(place, links, marks) {
  if (!links.length) return;
  const tip = element("div", { className: "explorer-tip", hidden: true, "aria-hidden": "true" });
  place.append(tip);
  const order = links.map((_, i) => i).sort((a, b) => marks[a].x - marks[b].x || marks[a].y - marks[b].y);
  links[order[0]].setAttribute("tabindex", 0);

  function tell(i) {
    const { point, lines } = marks[i];
    tip.replaceChildren(
      element("strong", {}, point.label),
      ...(point.configuration ? [element("span", { className: "of" }, point.configuration)] : []),
      ...lines.map((line) => element("span", {}, capital(line))),
    );
    tip.hidden = false;
    const [box, around] = [links[i].getBoundingClientRect(), place.getBoundingClientRect()];
    const left = Math.min(box.right - around.left + 8, around.width - tip.offsetWidth - 4);
    tip.style.left = `${Math.max(0, left)}px`;
    const above = box.top - around.top - tip.offsetHeight - 8;
    tip.style.top = `${above > 0 ? above : box.bottom - around.top + 8}px`;
  }

  const hide = () => (tip.hidden = true);
  links.forEach((link, i) => {
    link.addEventListener("pointerenter", () => tell(i));
    link.addEventListener("pointerleave", hide);
    link.addEventListener("focus", () => tell(i));
    link.addEventListener("blur", hide);
    link.addEventListener("keydown", (event) => {
      if (event.key === "Escape") hide();
      const to = event.key === "Home" ? 0 : event.key === "End" ? order.length - 1 : order.indexOf(i) + (MOVES[event.key] ?? NaN);
      if (!(to >= 0 && to < order.length)) return;
      event.preventDefault();
      link.setAttribute("tabindex", -1);
      links[order[to]].setAttribute("tabindex", 0);
      links[order[to]].focus();
    });
  });
}
