// An answer as elements: cards with memory, its parts to scale, evidence and code; then all others.

import { copyButton, element } from "../dom.js";
import { high, low } from "./answer.js";
import { code, command } from "./code.js";
import { sentence } from "./sentence.js";

const BADGES = { fits: "match", tight: "partly", "does not fit": "unresolved" };
const PARTS = {
  weights: "weights", optimizer: "optimizer state", gradients: "gradients", logits: "logits",
  activations: "activations", working: "working memory",
};
const SHOWN = 3;

const gb = (bytes) => `${(bytes / 1e9).toFixed(bytes < 9.95e9 ? 2 : 1)} GB`;
const percent = (value) => value.toFixed(value >= 99.5 ? 0 : value >= 0.095 ? 2 : value >= 0.00095 ? 4 : 6);
export function bytes(size) {
  for (const [unit, factor] of [["kB", 1e3], ["MB", 1e6]]) if (size < 500 * factor) return `${(size / factor).toFixed(1)} ${unit}`;
  return `${(size / 1e9).toFixed(1)} GB`;
}

/** @param asked `{question, model, formulas, data, gigabytes}` */
export function view(picks, asked) {
  const { model, question, gigabytes, data } = asked;
  const { batch, length } = question.setting;
  const fitting = picks.filter((pick) => pick.standing !== "does not fit").length;
  const intro = picks.length
    ? `${model.name} on ${gigabytes} GB, batch ${batch}, ${length.toLocaleString("en")} tokens: ${fitting} of ${picks.length} methods can be trained.`
    : "No method meets the limit on inference overhead.";
  const shown = picks.slice(0, SHOWN);
  const said = shown.length ? data.sentences[runOf(shown[0].setting)] : "";
  return [
    element("p", { className: "choose-question", role: "status" }, intro),
    ...shown.slice(0, 1).map((pick) => inShort(pick, asked)),
    ...shown.map((pick) => card(pick, asked)),
    unknown(asked, said),
    ...(picks.length > SHOWN ? [others(picks.slice(SHOWN), asked)] : []),
  ];
}

const runOf = (setting) => `${setting.precision}.${setting.attention}.${setting.checkpointing}`;
const link = (asked, pick) =>
  element("a", { href: new URL(`../methods/${pick.configuration.split("/")[0]}/`, location.href).href }, pick.known.name);
const badge = (pick) => element("span", { className: `outcome ${BADGES[pick.standing]}` }, pick.standing);
const overhead = (pick, asked) => pick.overhead[1].split("+").map((kind) => asked.data.overheads[kind] ?? kind).join(" + ");

const scoreOf = (pick, { question }) => pick.known.scores?.[question.size] ?? null;
const sizeOf = ({ data, question }) => data.sizes.find(({ id }) => id === question.size);

function inShort(pick, asked) {
  const [before, after] = sentence(pick, {
    trained: percent((100 * pick.trained) / asked.parameters), overhead: overhead(pick, asked), score: scoreOf(pick, asked),
    size: sizeOf(asked)?.name, gigabytes: asked.gigabytes, matters: asked.question.matters,
  });
  return element("p", { className: "choose-short" }, before, element("strong", {}, link(asked, pick)), after);
}

function card(pick, asked) {
  const { model, data, question } = asked;
  const size = sizeOf(asked);
  const score = scoreOf(pick, asked);
  const facts = [
    ["Memory", `low ${gb(low(pick.peak, pick.error))}, expected ${gb(pick.peak)}, high ${gb(high(pick.peak, pick.error))}`],
    ["Trains", `${Math.round(pick.trained).toLocaleString("en")} parameters, ${percent((100 * pick.trained) / asked.parameters)} % of the model`],
    ["On disk, for each task", pick.stored === null ? "depends on the model" : `${bytes(pick.stored)} in float32`],
    ["At inference, once merged", overhead(pick, asked)],
    ["Training compute", pick.known.compute === null ? "not traced" : `${pick.known.compute} % of full tuning's FLOPs (traced on T5-Large${pick.setting.checkpointing === "full" ? ", without checkpointing" : ""})`],
    ["Score", score === null ? "the survey did not run it, or its score is doubtful" : `${score.toFixed(1)} on ${size.name}, in the survey's experiment`],
  ];
  const changes = pick.changes.length
    ? [element("p", { className: "choose-change" }, `With ${pick.changes.join(" and ")}${pick.asked === null ? "" : `; without, it needs ${gb(pick.asked)}`}.`)]
    : [];
  const head = data.heads[asked.formulas.task];
  const told = { ...pick, model: model.checkpoint ?? model.id, task: asked.formulas.task, head, adapter: asked.formulas.configurations[pick.configuration].adapter };
  const program = code(told);
  return element(
    "section", { className: "choose-card" },
    element("h2", {}, link(asked, pick), " ", element("code", {}, pick.configuration), " ", badge(pick)),
    ...changes, waterfall(pick, question.memory),
    element("dl", {}, ...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
    element("details", { open: true }, element("summary", {}, "Code to paste"), copyButton(program), element("pre", { tabIndex: 0 }, element("code", {}, program)),
      element("p", {}, "The same on the command line, from a trace: ", element("code", {}, command({ ...told, model: model.id, memory: asked.gigabytes })))),
  );
}

/** Parts of the peak, one below the other, each where the one before ends; the line is the device's memory. */
function waterfall(pick, memory) {
  const scale = Math.max(memory, pick.peak);
  let from = 0;
  const rows = Object.entries(pick.parts).filter(([, size]) => size > 0).map(([name, size]) => {
    const bar = element("span", { className: `choose-part ${name}` });
    bar.style.marginLeft = `${(100 * from) / scale}%`;
    bar.style.width = `${Math.max(0.3, (100 * size) / scale)}%`;
    from += size;
    const track = element("span", { className: "choose-track" }, bar);
    track.style.setProperty("--limit", `${(100 * memory) / scale}%`);
    return element("li", {}, element("span", {}, PARTS[name]), track, element("span", {}, gb(size)));
  });
  return element("ul", { className: "choose-waterfall", "aria-label": "Memory at the peak, by part" }, ...rows);
}

function unknown(asked, said) {
  const lines = [
    said,
    "Scores are those of T5 on four tasks; a method may do better or worse on your model and task.",
    "This page ignores adapter dropout, padding and multiple GPUs; the command line covers them.",
    asked.formulas.task === "SEQ_CLS" ? "The model has a classification head of two labels." : "",
  ];
  return element("details", { className: "choose-unknown", open: true }, element("summary", {}, "What is unknown"),
    element("ul", {}, ...lines.filter(Boolean).map((line) => element("li", {}, line))));
}

function others(picks, asked) {
  const rows = picks.map((pick) => element("tr", {},
    element("td", {}, link(asked, pick), " ", element("code", {}, pick.configuration)), element("td", {}, badge(pick)),
    element("td", {}, gb(pick.peak)), element("td", {}, pick.changes.join(", ") || "as asked"), element("td", {}, `${percent((100 * pick.trained) / asked.parameters)} %`),
    element("td", {}, overhead(pick, asked))));
  const heads = ["Method", "Training", "Peak", "Setting", "Trained", "At inference"];
  return element("details", { className: "choose-others" }, element("summary", {}, `The other ${picks.length} methods`),
    element("div", { className: "md-typeset__scrollwrap", tabIndex: 0 }, element("table", {}, element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))), element("tbody", {}, ...rows))));
}

/** Why there is no answer, and what to do instead. */
export function refusal(reasons, typed) {
  return [
    element("p", { className: "choose-question", role: "status" }, element("strong", {}, "No answer. "), reasons.join(" ")),
    ...(typed ? [element("p", {}, "The command line may have an answer: ", element("code", {}, typed))] : []),
  ];
}
