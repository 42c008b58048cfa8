// A sheet as a picture: dark on white, whatever the page's colours are, twice as sharp as it is large.

const SIZE = 14;
const LINE = 20;
const SPACE = 12;
const WIDEST = 320;
const SCALE = 2;

/** A promise of the picture, as a blob. */
export function png({ caption, columns, rows }) {
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d");
  const font = (weight) => (pen.font = `${weight} ${SIZE}px system-ui, sans-serif`);
  const cells = [columns.map((column) => column.head), ...rows.map((row) => row.map((cell) => cell.text))];
  font("bold"); // the widest letters, so that heads fit too
  const lines = cells.map((row) => row.map((text) => broken(pen, text, WIDEST)));
  const widths = columns.map((_, i) => Math.max(...lines.flatMap((row) => row[i].map((line) => pen.measureText(line).width))));
  const heights = lines.map((row) => Math.max(...row.map((cell) => cell.length)) * LINE + SPACE / 2);
  const width = widths.reduce((sum, one) => sum + one + SPACE, SPACE);
  const below = broken(pen, caption, width - 2 * SPACE);
  const height = heights.reduce((sum, one) => sum + one, 0) + below.length * LINE + 2 * SPACE;
  canvas.width = width * SCALE;
  canvas.height = height * SCALE;
  pen.scale(SCALE, SCALE);
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, width, height);
  pen.fillStyle = "#111";
  pen.textBaseline = "top";
  let top = SPACE / 2;
  const rule = (thick) => pen.fillRect(SPACE / 2, top - 3, width - SPACE, thick);
  rule(2);
  lines.forEach((row, index) => {
    font(index ? "normal" : "bold");
    let left = SPACE;
    row.forEach((cell, i) => {
      pen.textAlign = columns[i].numeric ? "right" : "left";
      cell.forEach((line, n) => pen.fillText(line, left + (columns[i].numeric ? widths[i] : 0), top + n * LINE));
      left += widths[i] + SPACE;
    });
    top += heights[index];
    if (!index) rule(1);
  });
  rule(2);
  pen.textAlign = "left";
  font("normal");
  below.forEach((line, n) => pen.fillText(line, SPACE, top + SPACE / 2 + n * LINE));
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

/** A text in lines that are no wider than this, broken between words. */
function broken(pen, text, widest) {
  const lines = [];
  for (const word of text.split(/\s+/)) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && pen.measureText(longer).width <= widest) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
