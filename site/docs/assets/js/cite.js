// The citation under a page names the place that the reader came to: a figure, a heading, or what a picture is set to.

import { element } from "./dom.js";

export function start(box) {
  const text = box.querySelector("code");
  const page = text.textContent;
  const write = () => (text.textContent = cited(page, location.search + location.hash));
  box.addEventListener("toggle", write);
  addEventListener("hashchange", write);
  const ends = [...document.querySelectorAll("article :is(p.foot, .pic[id] + .caption)")];
  for (const foot of ends) {
    const button = element("button", { type: "button", className: "cite" }, "Cite");
    button.addEventListener("click", () => {
      location.hash = above(foot).id;
      box.open = true;
      box.scrollIntoView();
    });
    foot.append(" · ", button);
  }
}

/** What the last line of a finding, or a caption, is below. */
function above(foot) {
  let before = foot;
  while (!before.matches("h2, .pic[id]")) before = before.previousElementSibling;
  return before;
}

/** In the page's own address or, where the site does not know that, in the note, which LaTeX reads. */
function cited(page, address) {
  const place = address.replace(/[{}\\]/g, encodeURIComponent);
  if (!place) return page;
  const known = /^( {2}url = \{.*\/)\},$/m;
  if (known.test(page)) return page.replace(known, (_, url) => `${url}${place}},`);
  return page.replace(/^( {2}note = \{.*)\},$/m, (_, note) => `${note}, at ${place.replace(/[#%&_$~^]/g, "\\$&")}},`);
}
