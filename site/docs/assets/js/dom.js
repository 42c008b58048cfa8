// Elements, their text always as text: nothing from the catalog is ever read as HTML.

/** An element with properties (`data-` and `aria-` ones as attributes) and children: elements or texts. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

/** A `<details>` whose panel lies over the page, and closes with Escape or when something else is used. */
export function dropdown(title, ...children) {
  const summary = element("summary", {}, title);
  const box = element("details", { className: "dropdown" }, summary, element("div", { className: "panel" }, ...children));
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !box.open) return;
    box.open = false;
    summary.focus();
  });
  box.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !box.contains(event.relatedTarget)) box.open = false;
  });
  document.addEventListener("click", (event) => {
    if (!event.composedPath().includes(box)) box.open = false;
  });
  return box;
}

/** Give the reader a file. */
export function download(name, type, content) {
  const address = URL.createObjectURL(new Blob([content], { type: `${type};charset=utf-8` }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** A button that copies a text. Browsers let only pages of https and of this machine write to the clipboard. */
export function copyButton(text) {
  const button = element("button", { type: "button", className: "copy" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "This browser does not let the page copy: select the text";
    }
  });
  return button;
}

/** JSON from the site's own data, wherever the site lies. */
export async function data(path) {
  const answer = await fetch(new URL(`../data/${path}`, import.meta.url));
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}
