// The four questions. What is answered stands in the address: #model=llama-3.1-8b&memory=24…

import { data as load } from "../dom.js";
import { answer } from "./answer.js";
import { sum, valuesAt } from "./formulas.js";
import { command } from "./code.js";
import { architecture, dimensions, parsed, Uncovered } from "./model.js";
import { refusal, view } from "./view.js";

const NUMBERS = { memory: ["GPU memory", 1, 10000], batch: ["Batch", 1, 1024], length: ["Length", 16, 131072] };
const WHOLE = ["batch", "length"];

/** What of the numbers makes no sense, a sentence each. */
export function faults(given) {
  return Object.entries(NUMBERS).flatMap(([name, [label, least, most]]) => {
    const number = Number(given[name]);
    const right = String(given[name]).trim() && number >= least && number <= most;
    if (right && (!WHOLE.includes(name) || Number.isInteger(number))) return [];
    const kind = WHOLE.includes(name) ? "a whole number" : "a number";
    return [`${label} must be ${kind} from ${least} to ${most.toLocaleString("en")}.`];
  });
}

/** The question that the form asks, on a model of so many parameters. */
export function questionOf(given, parameters, sizes) {
  const far = (size) => Math.abs(Math.log(size.parameters / parameters));
  const near = sizes.reduce((best, size) => (best === null || far(size) < far(best) ? size : best), null);
  return {
    memory: Number(given.memory) * 1e9, overhead: given.overhead === "some", matters: given.matters, size: near?.id ?? "",
    setting: {
      batch: Number(given.batch), length: Number(given.length), precision: given.precision,
      attention: given.attention, checkpointing: given.checkpointing, optimizer: given.optimizer,
    },
  };
}

export async function start(form) {
  const place = document.getElementById("choose-answer");
  const data = await load("choose.json");
  const known = new Map(data.models.map((model) => [model.id, model]));
  const field = (name) => form.elements.namedItem(name);
  const defaults = new FormData(form);
  let latest = 0;

  const given = () => Object.fromEntries(new FormData(form));

  async function show() {
    const turn = ++latest;
    const asked = given();
    field("config").closest("label").hidden = asked.model !== "own";
    const wrong = faults(asked);
    if (wrong.length) return place.replaceChildren(...refusal(wrong));
    let model;
    let config;
    try {
      if (asked.model === "own" && !asked.config.trim()) return place.replaceChildren(...refusal(["Paste the content of your model's config.json."]));
      config = asked.model === "own" ? parsed(asked.config) : known.get(asked.model).config;
      const name = asked.model === "own" ? architecture(config) : known.get(asked.model).architecture;
      if (!data.architectures.includes(name)) throw new Uncovered(`there are no formulas for ${name} yet`);
      if (config.model_type === "bert" && Number(asked.length) > config.max_position_embeddings) throw new Uncovered(`the model has only ${config.max_position_embeddings} positions`);
      model = { ...(known.get(asked.model) ?? { id: "path/to/config.json", name: "Your model", checkpoint: config._name_or_path || "path/to/model" }), architecture: name };
    } catch (error) {
      if (!(error instanceof Uncovered)) throw error;
      const setting = questionOf(asked, 1, data.sizes).setting;
      const typed = command({ model: asked.model === "own" ? "path/to/config.json" : asked.model, setting, memory: asked.memory });
      return place.replaceChildren(...refusal([`${error.message[0].toUpperCase()}${error.message.slice(1)}.`], typed));
    }
    const formulas = await load(`choose/${model.architecture}.json`);
    if (turn !== latest) return undefined; // the reader has asked something else meanwhile
    const at = dimensions(config, Number(asked.batch), Number(asked.length));
    const parameters = sum(formulas.parameters, valuesAt(formulas, at));
    const question = questionOf(asked, parameters, data.sizes);
    const picks = answer(formulas, data, at, question);
    place.replaceChildren(...view(picks, { question, model, formulas, data, parameters, gigabytes: Number(asked.memory) }));
    place.dataset.ready = model.architecture;
    return undefined;
  }

  function restore() {
    const said = new URLSearchParams(location.hash.slice(1));
    for (const [name, value] of [...defaults, ...said]) {
      const one = field(name);
      if (!one) continue;
      const options = one instanceof RadioNodeList ? [...one].map((radio) => radio.value) : one.options ? [...one.options].map((option) => option.value) : null;
      if (!options || options.includes(value)) one.value = value;
    }
    if (said.has("memory") && !said.has("gpu")) match();
    return show();
  }

  const match = () => {
    const sizes = [...field("gpu").options].map((option) => option.value);
    field("gpu").value = sizes.includes(field("memory").value) ? field("memory").value : "other";
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => {
    if (event.target.name === "gpu" && event.target.value !== "other") field("memory").value = event.target.value;
    if (event.target.name === "memory") match();
    const chosen = new URLSearchParams(new FormData(form));
    for (const name of ["gpu", ...(field("model").value === "own" ? [] : ["config"])]) chosen.delete(name);
    history.replaceState(null, "", `#${chosen}`);
    show();
  });
  addEventListener("hashchange", restore);
  form.hidden = false;
  await restore();
}
