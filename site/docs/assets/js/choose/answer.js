// Two or three methods for a model, a device and a wish: what surveykit/fit/choose.py does.

import { memory as stepMemory, sum, valuesAt } from "./formulas.js";

export const STANDINGS = ["fits", "tight", "does not fit"];
export const WAYS = [
  ["SDPA attention", { attention: "sdpa" }],
  ["gradient checkpointing", { checkpointing: "full" }],
  ["an 8-bit optimizer", { optimizer: "adamw-8bit" }],
  ["4-bit base weights", { precision: "4" }],
];
const SINGLE = [[], [0], [1], [2], [3], [0, 1], [1, 2], [1, 3], [0, 1, 2], [0, 1, 3], [1, 2, 3], [0, 1, 2, 3]];

export const low = (peak, [least]) => Math.min(peak, peak * (1 + least / 100));
export const high = (peak, [, most]) => Math.max(peak, peak * (1 + most / 100));
const runOf = (setting) => `${setting.precision}.${setting.attention}.${setting.checkpointing}`;

/** Every configuration in its order; the first three are the answer.
 * @param data what the page carries: `errors` by run, `context` bytes, `known` by configuration. */
export function answer(formulas, data, dimensions, question) {
  const values = valuesAt(formulas, dimensions);
  const picks = [];
  for (const [configuration, configured] of Object.entries(formulas.configurations)) {
    const known = data.known[configuration];
    if (!known || !(question.overhead || configured.overhead[1] === "none")) continue;
    const found = pick(formulas, configuration, values, question, data);
    if (!found) continue;
    const trained = sum(configured.trained, values);
    picks.push({ ...found, known, overhead: configured.overhead, trained, stored: known.stored === null ? null : known.stored * trained });
  }
  const place = (one) => [STANDINGS.indexOf(one.standing), ...wish(one, question)];
  return picks.map((one) => [place(one), one]).sort(([a], [b]) => first(a, b)).map(([, one]) => one);
}

function first(a, b) {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return 0;
}

/** A forward pass, which checkpointing does twice, beside full tuning, whose backward pass is two of them. */
const FORWARD_PERCENT = 100 / 3;

function wish(one, { matters, size }) {
  const score = one.known.scores?.[size] ?? null;
  if (matters === "memory") return [one.asked ?? one.peak]; // all in the same setting
  if (matters === "disk") return [one.stored ?? 1e30, one.peak];
  if (matters === "speed") {
    const again = one.setting.checkpointing === "full" ? FORWARD_PERCENT : 0;
    return [one.known.compute === null ? 1e30 : one.known.compute + again, one.peak];
  }
  return [score === null ? 1 : 0, score === null ? 0 : -score, one.changes.length, one.peak];
}

function pick(formulas, configuration, values, question, data) {
  const tried = [];
  let asked = null;
  for (const numbers of SINGLE) {
    const same = (number) => Object.entries(WAYS[number][1]).every(([name, value]) => question.setting[name] === value);
    if (numbers.some(same)) continue;
    const setting = Object.assign({}, question.setting, ...numbers.map((number) => WAYS[number][1]));
    const found = stepMemory(formulas, configuration, runOf(setting), setting.optimizer, values);
    if (!found) continue;
    if (!numbers.length) asked = found.peak;
    const error = data.errors[runOf(setting)];
    const room = question.memory - data.context;
    const standing = high(found.peak, error) <= room ? "fits" : low(found.peak, error) <= room ? "tight" : "does not fit";
    const one = { configuration, setting, changes: numbers.map((number) => WAYS[number][0]), standing, ...found, asked, error };
    if (standing === "fits") return one;
    tried.push(one);
  }
  const place = (one) => [STANDINGS.indexOf(one.standing), one.standing === "tight" ? one.changes.length : one.peak];
  return tried.reduce((best, one) => (best && first(place(best), place(one)) <= 0 ? best : one), null);
}
