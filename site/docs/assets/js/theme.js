// What the theme leaves without a name or beyond the keyboard's reach.

export function start() {
  document.querySelector(".md-search[role=dialog]")?.setAttribute("aria-label", "Search");
  mend();
  new MutationObserver(mend).observe(document.querySelector("main"), { childList: true, subtree: true });
}

/** Blocks of code may be wider than the page, and their buttons come when the theme has seen them. */
function mend() {
  document.querySelectorAll("pre > code:not([tabindex])").forEach((code) => (code.tabIndex = 0));
  document.querySelectorAll(".md-code__nav:not([aria-label])").forEach((nav) => {
    const place = [...document.querySelectorAll(".md-code__nav")].indexOf(nav) + 1;
    nav.setAttribute("aria-label", `Code, block ${place}`);
  });
}
