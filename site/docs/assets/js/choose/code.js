// Python that trains as an answer says: what surveykit/fit/code.py writes.

const CLASSES = { CAUSAL_LM: "AutoModelForCausalLM", SEQ_2_SEQ_LM: "AutoModelForSeq2SeqLM", SEQ_CLS: "AutoModelForSequenceClassification" };
const OPTIMIZERS = {
  "adamw-fused": "adamw_torch_fused", "adamw-foreach": "adamw_torch", "adamw-8bit": "adamw_bnb_8bit",
  "paged-adamw-8bit": "paged_adamw_8bit", sgd: "sgd",
};

const NOT_CAST = [
  "PEFT leaves these weights in 16 bits, which loses steps below 1/512 of a weight: the default",
  "learning_rate=5e-5 may train nothing.",
];

const call = (name, args) => {
  const line = `${name}(${args.join(", ")})`;
  return line.length <= 100 ? [line] : [`${name}(`, ...args.map((one) => `    ${one},`), ")"];
};

/** @param adapter `{needs, assigned, notes}`, or `{none}`: why PEFT cannot say it. */
export function code({ model, task, adapter, setting, configuration, head }) {
  const kind = CLASSES[task] ?? "AutoModel";
  const few = setting.precision === "4";
  const lines = ["import torch"];
  if (adapter.assigned) lines.push(`from peft import ${adapter.needs}, get_peft_model`);
  lines.push(`from transformers import ${kind}${few ? ", BitsAndBytesConfig" : ""}, TrainingArguments`, "");
  const loading = [
    JSON.stringify(model), ...(head ? [`num_labels=${head}`] : []), "dtype=torch.bfloat16",
    `attn_implementation="${setting.attention === "flash" ? "flash_attention_2" : setting.attention}"`,
  ];
  if (few) {
    loading.push(
      'quantization_config=BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", ' +
        "bnb_4bit_compute_dtype=torch.bfloat16, bnb_4bit_use_double_quant=True)",
    );
  }
  lines.push(...call(`model = ${kind}.from_pretrained`, loading), "model.config.use_cache = False");
  if (adapter.assigned) {
    lines.push(...adapter.notes.map((note) => `# ${note}`), adapter.assigned);
    lines.push("model = get_peft_model(model, peft_config, autocast_adapter_dtype=True)");
    if (adapter.needs === "LNTuningConfig") lines.push(...NOT_CAST.map((line) => `# ${line}`));
  } else {
    lines.push(`# ${configuration} has no PEFT configuration: ${adapter.none}`);
  }
  const full = setting.checkpointing === "full";
  lines.push(
    ...call("arguments = TrainingArguments", [
      'output_dir="out"', `per_device_train_batch_size=${setting.batch}`, `optim="${OPTIMIZERS[setting.optimizer]}"`,
      `gradient_checkpointing=${full ? "True" : "False"}`,
      ...(full ? ['gradient_checkpointing_kwargs={"use_reentrant": False}'] : []),
    ]),
    `# Cut texts to ${setting.length} tokens, then: transformers.Trainer(model, arguments, train_dataset=...).train()`,
  );
  if (few) lines.push("# Without prepare_model_for_kbit_training, which casts norms and embeddings to float32.");
  return `${lines.join("\n")}\n`;
}

/** The same question to the command line. */
export function command({ model, setting, memory, configuration, head }) {
  const said = [
    `--model ${model}`, `--gpu-memory ${memory}GB`, `--batch ${setting.batch}`, `--length ${setting.length}`,
    `--attention ${setting.attention}`, `--checkpointing ${setting.checkpointing}`, `--optimizer ${setting.optimizer}`,
    ...(setting.precision === "4" ? ["--base-bits 4 --double-quant"] : []), ...(head ? [`--head ${head}`] : []),
    ...(configuration ? [`--methods ${configuration}`] : []),
  ];
  return `surveykit fit ${said.join(" ")}`;
}
