"""Random matrices that all layers share, banks and vectors for the whole model, and spectra."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from peft_tensors import InLibrary

VERA = InLibrary(
    fields={"rank": 5, "save_projection": True},
    read=lambda m: {"inner": m.vera_lambda_d["default"], "outer": m.vera_lambda_b["default"]},
    shared=lambda m: {"down": m.vera_A["default"], "up": m.vera_B["default"]},
)
PVERA = InLibrary(
    fields={"rank": 5, "save_projection": True},
    read=lambda m: {"inner": m.pvera_lambda_d["default"], "outer": m.pvera_lambda_b["default"]},
    shared=lambda m: {"down": m.pvera_A["default"], "up": m.pvera_B["default"]},
)


def _vblora(*, save_top: bool) -> InLibrary:
    return InLibrary(
        fields={"rank": 3, "vectors": 11, "length": 4, "top": 2, "save_top": save_top},
        read=lambda m: {"logits_down": m.vblora_logits_A["default"], "logits_up": m.vblora_logits_B["default"]},
        shared=lambda m: {"bank": m.vblora_vector_bank["default"]},
        arguments={"init_vector_bank_bound": 0.5},
    )


def _uses(module: nn.Module) -> Mapping[str, Tensor]:
    """PEFT keeps one divided by the root of how often each number is used, for every entry that is made of it."""
    theta = module.unilora_theta_d["default"]
    uses = theta.new_ones(theta.shape)
    for side in "AB":
        numbers = getattr(module, f"unilora_indices_{side}")["default"]
        uses[numbers] = getattr(module, f"unilora_scales_{side}")["default"] ** -2
    return {"vector": theta, "uses": uses}


UNILORA = InLibrary(
    fields={"rank": 3, "length": 13},
    read=lambda m: {"numbers_down": m.unilora_indices_A["default"], "numbers_up": m.unilora_indices_B["default"]},
    shared=_uses,
    arguments={"init_theta_d_bound": 2.0},
)
RANDLORA = InLibrary(
    fields={"rank": 7, "alpha": 14.0, "save_projection": True},
    read=lambda m: {"inner": m.randlora_lambda["default"], "outer": m.randlora_gamma["default"]},
    shared=lambda m: {"narrow": m.randlora_A["default"], "wide": m.randlora_B["default"]},
)


def _tinylora(tying: float) -> InLibrary:
    return InLibrary(
        fields={"rank": 3, "numbers": 4, "tying": tying, "save_projection": True},
        read=lambda m: {name: getattr(m, f"tinylora_{theirs}")["default"] for name, theirs in _TINY.items()},
        shared=lambda m: {"vector": m.tinylora_v["default"][m._tinylora_v_key["default"]]},
    )


_TINY = {"down": "A", "up": "B", "mixed": "P"}


def _places(numbers: Tensor, fan_in: int) -> Tensor:
    return numbers[0] * fan_in + numbers[1]


FOURIERFT = InLibrary(
    fields={"count": 50, "scaling": 150.0},
    read=lambda m: {
        "coefficients": m.fourierft_spectrum["default"],
        "places": _places(m.indices["default"], m.in_features),
    },
)


def _waveft(*, transformed: bool) -> InLibrary:
    return InLibrary(
        fields={"count": 50, "scaling": 25.0, "wavelet": "db1", "transformed": transformed},
        read=lambda m: {
            "coefficients": m.waveft_spectrum["default"],
            "places": _places(m.waveft_indices["default"], m.in_features),
        },
    )


def _basis(module: nn.Module) -> Mapping[str, Tensor]:
    rows, columns = module.frod_s_indices["default"]
    return {"basis": module.frod_V["default"], "rows": rows, "columns": columns}


FROD = InLibrary(
    fields={"rate": 0.02, "save_projection": True},
    read=lambda m: {
        "left": m.frod_U["default"],
        "diagonal": m.frod_lambda_l["default"],
        "entries": m.frod_lambda_s_values["default"],
    },
    shared=_basis,
    unneeded="frod_s_size",
    tolerance=1e-3,  # the basis of weights that are random is inverted
)


KINDS = {
    "shared_basis": FROD,
    "shared_projection": VERA,
    "sampled_projection": PVERA,
    "vector_bank": [_vblora(save_top=False), _vblora(save_top=True)],
    "one_vector": UNILORA,
    "random_bases": RANDLORA,
    "tiny_vector": [_tinylora(0.0), _tinylora(0.6), _tinylora(1.0)],
    "fourier_spectrum": FOURIERFT,
    "wavelet_spectrum": [_waveft(transformed=True), _waveft(transformed=False)],
}
