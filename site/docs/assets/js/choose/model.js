// Which formulas a config.json has, and its dimensions: what `architecture` and `at_model` do in Python.

const TIED = { llama: false, mistral: false, qwen2: false, qwen3: false, gemma: true, gemma2: true, t5: true };
const HEAD_WIDTH = { gemma: 256, gemma2: 256, qwen3: 128 };

/** Why a model has no formulas here; its message is for a reader. */
export class Uncovered extends Error {}

/** What a pasted text is: its configuration. Throws Uncovered. */
export function parsed(text) {
  let config;
  try {
    config = JSON.parse(text);
  } catch (error) {
    throw new Uncovered(`this is not valid JSON (${error.message})`);
  }
  if (config === null || typeof config !== "object" || Array.isArray(config)) throw new Uncovered("it is not an object");
  return config;
}

const whole = (value) => Number.isInteger(value) && value >= 1;

/** The name of the formulas. Throws Uncovered. */
export function architecture(config) {
  const kind = config.model_type;
  if (typeof kind !== "string" || !kind) throw new Uncovered("it has no model_type");
  if (!(kind in TIED) && kind !== "bert") throw new Uncovered(`models of type ${kind} have no formulas here`);
  const t5 = kind === "t5";
  const needed = t5
    ? ["d_model", "d_ff", "d_kv", "num_heads", "num_layers"]
    : ["hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers"];
  for (const name of [...needed, "vocab_size", ...(kind === "bert" ? ["max_position_embeddings"] : [])]) {
    if (!whole(config[name])) throw new Uncovered(`its ${name} is missing or not a whole number above 0`);
  }
  if (config.quantization_config) throw new Uncovered("its weights are already quantized (quantization_config)");
  const heads = config[t5 ? "num_heads" : "num_attention_heads"];
  const kv = config.num_key_value_heads || heads;
  if (!whole(kv) || heads % kv) throw new Uncovered("its number of query heads is not a multiple of its number of key and value heads");
  if (config[t5 ? "num_layers" : "num_hidden_layers"] < 6) throw new Uncovered("it has fewer than 6 layers");
  for (const name of ["attention_bias", "mlp_bias", "use_sliding_window", "attention_dropout"]) {
    if (config[name]) throw new Uncovered(`its ${name} is on`);
  }
  const { hd } = dimensions(config, 1, 1);
  if (hd % 8 || hd > 256) throw new Uncovered(`its heads have ${hd} features; kernels need a multiple of 8, at most 256`);
  const act = String(config.hidden_act ?? config.hidden_activation ?? "");
  const usual = ["llama", "mistral", "qwen2", "qwen3"].includes(kind) ? "silu" : "gelu";
  if (act && !act.startsWith(usual) && !t5) throw new Uncovered(`its activation is ${act}`);
  if (kind === "bert") return "bert";
  const tied = config.tie_word_embeddings ?? TIED[kind] ? "tied" : "untied";
  if (t5) {
    if ((config.num_decoder_layers ?? config.num_layers) !== config.num_layers) {
      throw new Uncovered("its stacks have different numbers of layers");
    }
    const shape = config.feed_forward_proj ?? "relu";
    if (!["relu", "gated-gelu"].includes(shape)) throw new Uncovered(`its feed-forward is ${shape}`);
    return `t5-${shape === "gated-gelu" ? "gated" : "relu"}-${tied}`;
  }
  return `${kind}-${kv === heads ? "mha" : kv === 1 ? "mqa" : "gqa"}-${tied}`;
}

/** Dimensions by the names that formulas have. */
export function dimensions(config, batch, length) {
  const t5 = config.model_type === "t5";
  const heads = config[t5 ? "num_heads" : "num_attention_heads"];
  const width = config[t5 ? "d_model" : "hidden_size"];
  const kv = config.num_key_value_heads || heads;
  return {
    b: batch, l: length, t: 8, h: width, f: config[t5 ? "d_ff" : "intermediate_size"], v: config.vocab_size,
    hd: config[t5 ? "d_kv" : "head_dim"] || HEAD_WIDTH[config.model_type] || Math.floor(width / heads),
    kv, g: heads / kv, n: config[t5 ? "num_layers" : "num_hidden_layers"], p: config.max_position_embeddings ?? 0,
  };
}
