// A table as a file. A sheet has a name, a caption, columns { key, head, numeric } and rows of cells { text, number }.

import { download, element } from "./dom.js";
import { png } from "./png.js";

const FORMATS = {
  LaTeX: { end: "tex", type: "application/x-tex", write: latex },
  Markdown: { end: "md", type: "text/markdown", write: markdown },
  CSV: { end: "csv", type: "text/csv", write: csv },
  JSON: { end: "json", type: "application/json", write: json },
  PNG: { end: "png", type: "image/png", write: png },
};

/** A button for each kind of file; `sheet` gives the sheet as it is when a button is used. */
export function saveButtons(sheet) {
  const label = element("legend", {}, "Save");
  const buttons = Object.entries(FORMATS).map(([name, { end, type, write }]) => {
    const button = element("button", { type: "button" }, name);
    button.addEventListener("click", async () => {
      const saved = sheet();
      download(`${saved.name}.${end}`, type, await write(saved));
    });
    return button;
  });
  return { box: element("fieldset", { className: "switch save" }, label, ...buttons), label };
}

const texts = ({ columns, rows }) => [columns.map((column) => column.head), ...rows.map((row) => row.map((cell) => cell.text))];

function csv(sheet) {
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return texts(sheet).map((line) => `${line.map(quoted).join(",")}\r\n`).join("");
}

/** Figures as numbers, null where there is none, and everything else in words. */
function json({ columns, rows }) {
  const value = (cell, column) => (column.numeric ? cell.number : cell.text);
  const records = rows.map((row) => Object.fromEntries(row.map((cell, i) => [columns[i].key, value(cell, columns[i])])));
  return `${JSON.stringify(records, null, 1)}\n`;
}

function markdown(sheet) {
  const escaped = (text) => text.replace(/[\\`*_{}[\]<>#|!~&]/g, "\\$&").replace(/\s+/g, " ");
  const line = (cells) => `| ${cells.join(" | ")} |\n`;
  const [heads, ...rows] = texts(sheet).map((cells) => cells.map(escaped));
  const marks = sheet.columns.map((column) => (column.numeric ? "---:" : ":---"));
  return `${[heads, marks, ...rows].map(line).join("")}\n${escaped(sheet.caption)}\n`;
}

// As surveykit/output.py writes them.
const TEX = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}",
  ">": "\\textgreater{}", "|": "\\textbar{}", "–": "--", "—": "---", "…": "\\dots{}", "×": "$\\times$", "·": "$\\cdot$",
  "−": "$-$", "±": "$\\pm$", "≤": "$\\leq$", "≥": "$\\geq$", "²": "$^2$", "³": "$^3$", "ᵀ": "$^\\top$" };

function latex(sheet) {
  const escaped = (text) => text.replace(/\s+/g, " ").replace(/[\\~^<>|–—…×·−±≤≥²³ᵀ{}$&#_%]/g, (sign) => TEX[sign] ?? `\\${sign}`);
  // A bracket at the start of a row would be read as an argument of the line break before it.
  const line = (cells) => `${cells.map(escaped).join(" & ").replace(/^\[/, "{[}")} \\\\`;
  const [heads, ...rows] = texts(sheet).map(line);
  const align = sheet.columns.map((column) => (column.numeric ? "r" : "l")).join("");
  return ["% needs \\usepackage{booktabs}", "\\begin{table}", "\\centering", `\\caption{${escaped(sheet.caption)}}`,
    `\\begin{tabular}{${align}}`, "\\toprule", heads, "\\midrule", ...rows, "\\bottomrule", "\\end{tabular}", "\\end{table}", ""].join("\n");
}
