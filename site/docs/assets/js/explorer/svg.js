// Elements of SVG, shapes of marks, and widths of texts. Colours are the custom properties of the style sheets.

export const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
const SPACE = "http://www.w3.org/2000/svg";
const ink = document.createElement("canvas").getContext("2d");

export const colour = (name) => `var(--pic-${name})`;

/** An element with attributes; `style` is an object of properties. */
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) {
    const written = name === "style" ? Object.entries(value).map((pair) => pair.join(": ")).join("; ") : value;
    made.setAttribute(name, typeof written === "number" ? Number(written.toFixed(2)) : written);
  }
  made.append(...children);
  return made;
}

/** A line of text; `y` is its baseline. */
export function text(content, x, y, { anchor = "start", ink: name = "text", bold = false } = {}) {
  const style = { fill: colour(name), ...(bold ? { "font-weight": 600 } : {}) };
  return svg("text", { x, y, "text-anchor": anchor, style }, content);
}

/** The width of a text in pixels. */
export function widthOf(content, bold = false) {
  ink.font = `${bold ? "600 " : ""}12px ${FONT}`;
  return ink.measureText(content).width;
}

const polygon = (corners) => `M${corners.map((corner) => corner.join(" ")).join("L")}Z`;

/** Outlines around zero, by the letters that matplotlib has for them. */
const SHAPES = {
  o: (r) => `M${-r} 0A${r} ${r} 0 1 0 ${r} 0A${r} ${r} 0 1 0 ${-r} 0Z`,
  s: (r) => polygon([[-r, -r], [r, -r], [r, r], [-r, r]].map((c) => c.map((n) => n * 0.88))),
  D: (r) => polygon([[0, -r], [r, 0], [0, r], [-r, 0]].map((c) => c.map((n) => n * 1.15))),
  "^": (r) => polygon([[0, -r * 1.1], [r, r * 0.8], [-r, r * 0.8]]),
  P: (r) => cross(r * 1.1, false),
  X: (r) => cross(r * 1.1, true),
  "*": (r) => star(r * 1.3),
};

export function outline(shape, radius) {
  return SHAPES[shape](radius).replace(/-?\d+\.\d+/g, (n) => String(Number(Number(n).toFixed(2))));
}

function cross(r, turned) {
  const a = r * 0.38;
  const corners = [[-a, -r], [a, -r], [a, -a], [r, -a], [r, a], [a, a], [a, r], [-a, r], [-a, a], [-r, a], [-r, -a], [-a, -a]];
  const half = Math.SQRT1_2;
  return polygon(turned ? corners.map(([x, y]) => [(x - y) * half, (x + y) * half]) : corners);
}

function star(r) {
  const corners = Array.from({ length: 10 }, (_, i) => {
    const [length, angle] = [i % 2 ? r * 0.45 : r, (Math.PI * i) / 5];
    return [length * Math.sin(angle), -length * Math.cos(angle)];
  });
  return polygon(corners);
}
