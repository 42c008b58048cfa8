// The view as a file: the columns that are shown, the rows that remain, in their order.

/** Heads and rows of the view; a column with claim and measurement is two where both are shown. */
export function view(data, state, order) {
  const columns = data.columns
    .filter((column) => state.columns.has(column.key))
    .flatMap((column) => {
      const sources = state.source === "both" ? column.sources : column.sources.filter((s) => s === state.source);
      const used = sources.length ? sources : column.sources;
      return used.map((source) => ({
        key: column.sources.length > 1 ? `${column.key}_${source}` : column.key,
        head: column.sources.length > 1 ? `${column.head}, ${source}` : column.head,
        numeric: column.numeric,
        cell: (row) => row.cells[column.key][source],
      }));
    });
  return { columns, rows: order.map((index) => data.rows[index]) };
}

const texts = ({ columns, rows }) => [columns.map((c) => c.head), ...rows.map((row) => columns.map((c) => c.cell(row).text))];

export const FORMATS = {
  CSV: { name: "methods.csv", type: "text/csv", write: csv },
  JSON: { name: "methods.json", type: "application/json", write: json },
  Markdown: { name: "methods.md", type: "text/markdown", write: markdown },
  LaTeX: { name: "methods.tex", type: "application/x-tex", write: latex },
};

function csv(shown) {
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return texts(shown).map((line) => `${line.map(quoted).join(",")}\r\n`).join("");
}

/** Figures as numbers, null where there is none, and everything else in words. */
function json({ columns, rows }) {
  const value = (column, row) => (column.numeric ? column.cell(row).number : column.cell(row).text);
  const records = rows.map((row) => ({ id: row.id, ...Object.fromEntries(columns.map((c) => [c.key, value(c, row)])) }));
  return `${JSON.stringify(records, null, 1)}\n`;
}

function markdown(shown) {
  const escaped = (text) => text.replace(/[\\`*_{}[\]<>#|!~&]/g, "\\$&");
  const line = (cells) => `| ${cells.join(" | ")} |\n`;
  const [heads, ...rows] = texts(shown).map((cells) => cells.map(escaped));
  const marks = shown.columns.map((c) => (c.numeric ? "---:" : ":---"));
  return [heads, marks, ...rows].map(line).join("");
}

const TEX = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}",
  ">": "\\textgreater{}", "|": "\\textbar{}", "–": "--", "³": "\\textsuperscript{3}" };

function latex(shown) {
  const escaped = (text) => text.replace(/[\\~^<>|–³{}$&#_%]/g, (sign) => TEX[sign] ?? `\\${sign}`);
  const [heads, ...rows] = texts(shown).map((cells) => `${cells.map(escaped).join(" & ")} \\\\`);
  const align = shown.columns.map((c) => (c.numeric ? "r" : "l")).join("");
  const lines = ["% needs \\usepackage{booktabs}", `\\begin{tabular}{${align}}`, "\\toprule", heads, "\\midrule", ...rows,
    "\\bottomrule", "\\end{tabular}", ""];
  return lines.join("\n");
}
