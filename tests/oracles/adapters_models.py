"""The `adapters` library as an oracle for counts on models other than T5.

Runs beside adapters_counts.py, in the same environment and on the transformers that the library pins. Each configuration
of the catalog that names a counterpart below is put on small models of other families by the library, without weights,
and its count is compared with ours on the same configuration of the model.

Usage: python adapters_models.py CATALOG
Exit code: 0 when all agree, 1 otherwise.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import adapters
import torch
import transformers

from surveykit.catalog.load import load
from surveykit.catalog.records import Oracle

# The older transformers spells the class another way; the engine is written for the newer.
transformers.PreTrainedConfig = transformers.PretrainedConfig

from surveykit.engine.counts import count
from surveykit.engine.models.model import instance_of
from surveykit.errors import RecipeError

MODELS = {
    "BertModel": transformers.BertConfig(
        hidden_size=96, intermediate_size=224, num_attention_heads=4, num_hidden_layers=3, vocab_size=101
    ),
    "RobertaModel": transformers.RobertaConfig(
        hidden_size=64, intermediate_size=160, num_attention_heads=2, num_hidden_layers=2, vocab_size=99
    ),
    "DistilBertModel": transformers.DistilBertConfig(dim=96, hidden_dim=160, n_heads=4, n_layers=2, vocab_size=97),
    "BartForConditionalGeneration": transformers.BartConfig(
        d_model=64, encoder_ffn_dim=160, decoder_ffn_dim=160, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_layers=2, decoder_layers=3, vocab_size=101,
    ),
    "LlamaForCausalLM": transformers.LlamaConfig(
        hidden_size=96, intermediate_size=224, num_attention_heads=4, num_key_value_heads=2, num_hidden_layers=2,
        vocab_size=101, tie_word_embeddings=False,
    ),
    "MistralForCausalLM": transformers.MistralConfig(
        hidden_size=64, intermediate_size=128, num_attention_heads=4, num_key_value_heads=1, num_hidden_layers=2,
        vocab_size=101,
    ),
}  # fmt: skip
COUNTERPARTS = ("DoubleSeqBnConfig", "SeqBnConfig", "ParBnConfig", "LoRAConfig")


def library_count(kind: str, oracle: Oracle) -> int:
    with torch.device("meta"):
        model = getattr(transformers, kind)(MODELS[kind])
        adapters.init(model)
        model.add_adapter("task", config=getattr(adapters, oracle.config)(**oracle.arguments))
        model.train_adapter("task")
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def main(root: str) -> int:
    logging.disable(logging.WARNING)
    catalog = load(Path(root).resolve())
    passed = failed = 0
    for kind, config in MODELS.items():
        config.architectures = [kind]
        for name, _, configuration in catalog.configurations():
            for oracle in configuration.oracles:
                asked = oracle.library == "adapters" and oracle.config in COUNTERPARTS and oracle.trainable is None
                if not asked or oracle.arguments.get("phm_layer"):  # whose terms do not divide these small widths
                    continue
                theirs = library_count(kind, oracle)
                try:
                    ours: int | str = count(catalog.recipe(name), instance_of(config)).trainable
                except RecipeError as error:
                    ours = str(error)
                agree = theirs == ours
                passed, failed = passed + agree, failed + (not agree)
                print(f"{kind:29} {name:36} adapters {theirs:>9,} {'=' if agree else '≠'} {ours}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: adapters_models.py CATALOG")
    sys.exit(main(sys.argv[1]))
