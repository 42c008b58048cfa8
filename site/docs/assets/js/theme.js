// What the theme leaves without a name or beyond the keyboard's reach.

export function start() {
  document.querySelector(".md-search[role=dialog]")?.setAttribute("aria-label", "Search");
  let waiting = false;
  const soon = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      mend();
    });
  };
  mend();
  addEventListener("resize", soon);
  const changes = { childList: true, subtree: true, attributeFilter: ["tabindex", "open"] };
  new MutationObserver(soon).observe(document.querySelector("main"), changes);
}

/** Code and tables may be wider than the page; their wrappers and buttons come when the theme has seen them. */
function mend() {
  for (const box of document.querySelectorAll("pre > code, .md-typeset__scrollwrap")) {
    const tab = box.scrollWidth > box.clientWidth ? 0 : -1;
    if (box.tabIndex === tab) continue;
    if (tab === 0) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
  document.querySelectorAll(".md-code__nav:not([aria-label])").forEach((nav) => {
    const place = [...document.querySelectorAll(".md-code__nav")].indexOf(nav) + 1;
    nav.setAttribute("aria-label", `Code, block ${place}`);
  });
}
