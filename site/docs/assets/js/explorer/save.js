// The picture as a file that needs nothing of the page: colours written out, with title, origin and address.

import { download } from "../dom.js";
import { FONT, svg, text, widthOf } from "./svg.js";

const TWICE = 2;

/** The picture as SVG text, in the colours that the page has now. */
export function standalone(drawn, title, origin) {
  const { width, height } = drawn.viewBox.baseVal;
  const heads = wrapped(title, width - 12);
  const feet = origin.flatMap((line) => wrapped(line, width - 12));
  const [above, below] = [heads.length * 18 + 10, feet.length * 16 + 8];
  const full = { width, height: height + above + below };
  const made = svg("svg", { viewBox: `0 0 ${full.width} ${full.height}`, ...full, "font-family": FONT, "font-size": 12 });
  const copy = drawn.cloneNode(true);
  for (const link of copy.querySelectorAll("a")) {
    link.replaceWith(svg("g", {}, svg("title", {}, link.getAttribute("aria-label")), ...link.childNodes));
  }
  made.append(
    svg("title", {}, title),
    svg("rect", { ...full, style: { fill: "var(--pic-paper)" } }),
    ...heads.map((line, i) => text(line, 6, 20 + i * 18, { bold: true })),
    svg("g", { transform: `translate(0 ${above})` }, ...copy.childNodes),
    ...feet.map((line, i) => text(line, 6, height + above + 12 + i * 16, { ink: "quiet" })),
  );
  const colours = getComputedStyle(drawn);
  const written = new XMLSerializer().serializeToString(made);
  const plain = written.replace(/var\((--pic-[a-z0-9-]+)\)/g, (_, name) => colours.getPropertyValue(name).trim());
  return { text: `<?xml version="1.0" encoding="utf-8"?>\n${plain}\n`, ...full };
}

function wrapped(content, most) {
  const lines = [""];
  for (const word of content.split(" ")) {
    const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
    if (lines.at(-1) && widthOf(longer, true) > most) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

/** The same as an image, twice as fine. */
async function png({ text: source, width, height }) {
  const image = new Image(width, height);
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(source)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * TWICE, height * TWICE];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

/** Give the reader the picture as SVG or PNG. */
export async function savePicture(format, name, drawn, title, origin) {
  const made = standalone(drawn, title, origin);
  if (format === "SVG") download(`${name}.svg`, "image/svg+xml", made.text);
  else download(`${name}.png`, "image/png", await png(made));
}
