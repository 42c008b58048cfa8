"""Weights and outputs that are rotated, and parts of weights that are trained in a basis of their own."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from peft_tensors import InLibrary

LINEAR_ONLY = ("t5", "llama", "bert")
"""GPT-2's matrices are of class Conv1D, which these modules of PEFT do not take."""


def _hra(**fields: object) -> InLibrary:
    return InLibrary(fields=fields, read=lambda m: {"directions": m.hra_u["default"]}, models=LINEAR_ONLY)


def _oft(**fields: object) -> InLibrary:
    return InLibrary(fields=fields, read=lambda m: {"angles": m.oft_R["default"].weight}, models=LINEAR_ONLY)


def _road(variant: str, group_size: int) -> InLibrary:
    return InLibrary(
        fields={"variant": variant, "group_size": group_size},
        read=lambda m: {"angle": m.road_theta["default"], "scale": m.road_alpha["default"]},
        models=LINEAR_ONLY,
    )


def _psoft(**fields: object) -> InLibrary:
    turn = "angles" if fields["orthogonal"] else "matrix"
    factors = {"outer": "vector_b", "inner": "vector_a"}

    def read(module: Any) -> dict[str, Tensor]:
        rotation = module.psoft_R["default"]
        found = {ours: getattr(rotation, name) for ours, name in factors.items() if fields[f"with_{ours}"]}
        found[turn] = rotation.weight
        if fields["svd"] == "lowrank":  # the others follow from the weight alike
            found["down"] = module._psoft_A_cache["default"]
            found["up"] = module._psoft_B_cache["default"] * module.scaling["default"]
        return found

    return InLibrary(fields={"terms": 5, **fields}, read=read, models=LINEAR_ONLY)


def _osf(preserved: float | None) -> InLibrary:
    sides = {"left": "U_low", "diagonal": "S_low", "right": "V_low"}
    return InLibrary(
        fields={"preserved": preserved},
        read=lambda m: {
            **{ours: m.osf_svd_params["default"][name] for ours, name in sides.items()},
            **{f"first_{ours}": getattr(m, f"_osf_{name}_init")["default"] for ours, name in sides.items()},
        },
        models=LINEAR_ONLY,
    )


KINDS = {
    "householder": [_hra(reflections=4, orthogonal=False), _hra(reflections=3, orthogonal=True)],
    "block_rotation": [
        _oft(blocks=0, side=8, shared=False, neumann=True, terms=5),
        _oft(blocks=5, side=0, shared=True, neumann=False, terms=5),
        _oft(blocks=0, side=4, shared=False, neumann=True, terms=2),
        _oft(blocks=0, side=4, shared=False, neumann=True, terms=4),
    ],
    "butterfly": [
        InLibrary(
            # Without its extension for CUDA, PEFT has one factor whatever it is told.
            fields={"side": 4, "blocks": 0, "factors": 1},
            read=lambda m: {"rotations": m.boft_R["default"], "scale": m.boft_s["default"], "order": m.boft_P},
            models=LINEAR_ONLY,
        )
    ],
    "block_circulant": InLibrary(
        fields={"block_size": 4}, read=lambda m: {"kernels": m.c3a_kernel["default"]}, models=LINEAR_ONLY
    ),
    "minor_singular": [_osf(None), _osf(7), _osf(0.6)],
    "principal_rotation": [
        _psoft(
            rank=5, svd="full", values_in="psoft_init", orthogonal=True, with_outer=True, with_inner=True, neumann=False
        ),
        _psoft(
            rank=4, svd="full", values_in="pissa_init", orthogonal=True, with_outer=False, with_inner=True, neumann=True
        ),
        _psoft(
            rank=3,
            svd="lowrank",
            values_in="psoft_init",
            orthogonal=False,
            with_outer=False,
            with_inner=False,
            neumann=False,
        ),
    ],
    "pair_rotation": [_road("road_1", 4), _road("road_2", 2), _road("road_4", 4)],
}
"""PEFT's module by its tensors, for each kind."""
