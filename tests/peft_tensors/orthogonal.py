"""Weights and outputs that are rotated, and parts of weights that are trained in a basis of their own."""

from __future__ import annotations

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
    "pair_rotation": [_road("road_1", 4), _road("road_2", 2), _road("road_4", 4)],
}
"""PEFT's module by its tensors, for each kind."""
