"""Trains policies with PyTorch: what `cambium pretrain` and `cambium graft` train, from the same demonstrations to the
same files, in as many processes as torchrun starts.

    python3 -m cambium.learn graft demos/so101.safetensors --stock models/stock.safetensors -o so101.safetensors
    torchrun --nproc_per_node 2 -m cambium.learn pretrain demos/*.safetensors -o models

PyTorch is asked for when something is trained, not when this package is imported.
"""

from __future__ import annotations

from cambium.learn.dataset import Dataset, Normaliser, make_dataset
from cambium.learn.demonstrations import (
    Demonstrations,
    EmbodimentScale,
    RecordedSensor,
    read_demonstrations,
    write_demonstrations,
)
from cambium.learn.joint_chain import ChainJoint, ChainSpec
from cambium.learn.recipe import Recipe, graft_recipe
from cambium.status import CambiumError, Code


def need_torch() -> None:
    """Says readably that PyTorch is missing."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise CambiumError(
            Code.unavailable,
            f"cambium.learn trains with PyTorch, which cannot be had here ({error}): apt install python3-torch, or "
            "pip install torch; `cambium pretrain` and `cambium graft` need neither",
        ) from None


__all__ = [
    "ChainJoint",
    "ChainSpec",
    "Dataset",
    "Demonstrations",
    "EmbodimentScale",
    "Normaliser",
    "RecordedSensor",
    "Recipe",
    "graft_recipe",
    "make_dataset",
    "need_torch",
    "read_demonstrations",
    "write_demonstrations",
]
