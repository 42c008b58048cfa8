// Numbers as places on a picture, as ticks, and as text.

const MANY_TIMES = 20;

/** Whether an axis is better logarithmic: its largest value is so many times its smallest. */
export function suitsLog(values) {
  const least = Math.min(...values);
  return least > 0 && Math.max(...values) > MANY_TIMES * least;
}

/** A function from values to places between `from` and `to`, with a little room beyond the least and greatest value.
 *  Values are positive where it is logarithmic. */
export function scale(values, log, from, to) {
  const read = log ? Math.log10 : Number;
  let [low, high] = [Math.min(...values), Math.max(...values)].map(read);
  if (!values.length) [low, high] = [0, 1];
  const room = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  [low, high] = [low - room, high + room];
  const at = (value) => from + ((read(value) - low) / (high - low)) * (to - from);
  const ends = log ? [10 ** low, 10 ** high] : [low, high];
  return { at, ends, log };
}

/** Values for ticks within a scale: steps of 1, 2 or 5, or powers of ten with 2 and 5 between where there are few. */
export function ticks({ ends: [low, high], log }, most = 7) {
  return log ? decades(low, high, most) : even(low, high, most);
}

function even(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high; n += 1) found.push(Number((n * step).toPrecision(12)));
  return found;
}

function decades(low, high, most) {
  const powers = [];
  for (let n = Math.floor(Math.log10(low)); n <= Math.ceil(Math.log10(high)); n += 1) powers.push(n);
  const between = [[1, 2, 5], [1, 3], [1]]
    .map((parts) => powers.flatMap((n) => parts.map((part) => Number(`${part}e${n}`))).filter((v) => v >= low && v <= high));
  const few = between.find((found) => found.length >= 2 && found.length <= most);
  if (few) return few;
  const last = between.at(-1);
  if (last.length < 2) return even(low, high, most);
  const every = Math.ceil(last.length / most);
  return last.filter((_, i) => i % every === 0);
}

const STEPS = { count: [[1e9, "B"], [1e6, "M"], [1e3, "k"]], bytes: [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]] };

const plain = (value) => (value === 0 ? "0" : Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 }));

/** A value as text with three digits: `5.9 M`, `23.6 MB`, `0.138`. */
export function written(value, kind) {
  if (value === null || value === undefined) return "–";
  if (kind === "year") return String(Math.round(value));
  const rounded = Number(value.toPrecision(3));
  const [size, word] = STEPS[kind]?.find(([size]) => Math.abs(rounded) >= size) ?? [1, kind === "bytes" ? "bytes" : ""];
  return `${plain(value / size)}${word && ` ${word}`}`;
}

/** A value with its unit: `9.6 GB`, `0.138 %`. */
export function withUnit(value, { kind, unit }) {
  return `${written(value, kind)}${unit && value !== null ? ` ${unit}` : ""}`;
}

/** A quantity as the head of an axis or a column: `Training speed, full tuning = 100`. */
export function headOf({ name, unit, scale }) {
  const beside = scale || unit;
  return name[0].toUpperCase() + name.slice(1) + (beside && `, ${beside}`);
}
