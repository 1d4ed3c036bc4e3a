"""A training that was interrupted, as a file from which it goes on: what core/learn/checkpoint.hpp writes."""

from __future__ import annotations

import hashlib
import json
from typing import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from cambium.learn.dataset import Dataset
from cambium.learn.fields import Fields
from cambium.learn.joint_chain import shortest
from cambium.learn.model import Policy
from cambium.learn.optimiser import AdamW
from cambium.learn.recipe import Recipe
from cambium.learn.trainer import LossPoint, TrainingState
from cambium.safetensors import read_safetensors, write_safetensors
from cambium.status import CambiumError, Code

Identity = dict[str, str]


def identity_of(policy: Policy, data: Sequence[Dataset], recipe: Recipe) -> Identity:
    """What a training is of; only the same one can be resumed."""
    layout = hashlib.sha256()
    for name, parameter in policy.layout():
        layout.update(f"{name} [{','.join(str(one) for one in parameter.shape)}]\n".encode())
    identity = {
        "steps": str(recipe.steps),
        "batch": str(recipe.batch),
        "seed": str(recipe.seed),
        "heads": str(policy.shape.heads),
        "weights": layout.hexdigest(),
    }
    for name in ("learning_rate", "weight_decay", "warm_up", "final_fraction", "clip", "beta"):
        identity[name] = shortest(getattr(recipe, name))
    for dataset in data:
        identity[f"demonstrations of {dataset.embodiment}"] = dataset.digest
    return identity


def write_checkpoint(path: str, policy: Policy, optimiser: AdamW, state: TrainingState, identity: Identity) -> None:
    tensors: dict[str, NDArray[np.generic]] = {"weights": _flat([one.detach() for _, one in policy.layout()])}
    for name, moment in (("moment_1", optimiser.moment_1), ("moment_2", optimiser.moment_2)):
        tensors[name] = _spread(policy, moment)
    curve = [[float(one.step), one.training, one.validation] for one in state.curve]
    tensors["curve"] = np.array(curve, "<f8").reshape(len(curve), 3)
    tensors["running"] = np.array([state.running_loss, state.running_steps], "<f8")
    metadata = {"cambium.kind": "checkpoint", "run": json.dumps(identity, sort_keys=True), "step": str(state.step)}
    write_safetensors(path, tensors, metadata)


class Checkpoint:
    """A checkpoint of the same training, read and verified."""

    def __init__(self, path: str, policy: Policy, identity: Identity) -> None:
        file = read_safetensors(path)
        fields = Fields.of(file)
        fields.one_of("cambium.kind", ["checkpoint"])
        self.state = TrainingState(step=fields.count("step", 0, 0xFFFFFFFF))
        saved = fields.text_map("run")
        fields.finish()
        for key in sorted(identity.keys() | saved.keys()):
            was, now = saved.get(key, "not there"), identity.get(key, "not there")
            if was != now:
                raise CambiumError(
                    Code.incompatible,
                    f"'{path}' is of another training: {key} was {was}, now it is {now}; start without --resume, or "
                    "with what it was begun with",
                )
        size = sum(one.numel() for _, one in policy.layout())
        expected = {"weights": size, "moment_1": size, "moment_2": size, "running": 2}
        for name, numbers in expected.items():
            if name not in file.tensors or file.tensors[name].shape != (numbers,):
                raise CambiumError(Code.bad_data, f"'{path}': no tensor '{name}' of {numbers} numbers")
        curve = file.tensors.get("curve")
        if curve is None or curve.values.ndim != 2 or curve.shape[1] != 3:
            raise CambiumError(Code.bad_data, f"'{path}': no tensor 'curve' of points of 3 numbers")
        self._tensors = {name: file.tensors[name].values for name in expected}
        self.state.curve = [LossPoint(int(step), float(t), float(v)) for step, t, v in curve.values]
        running = self._tensors["running"]
        self.state.running_loss, self.state.running_steps = float(running[0]), int(running[1])

    def restore_weights(self, policy: Policy) -> None:
        """Before a trainer is made of the policy."""
        at = 0
        with torch.no_grad():
            for _, one in policy.layout():
                part = self._tensors["weights"][at : at + one.numel()].copy()
                one.copy_(torch.from_numpy(part).view(one.shape))
                at += one.numel()

    def restore_moments(self, policy: Policy, optimiser: AdamW) -> None:
        for name, moment in (("moment_1", optimiser.moment_1), ("moment_2", optimiser.moment_2)):
            parts, at = [], 0
            for _, one in policy.layout():
                if one.requires_grad:
                    parts.append(self._tensors[name][at : at + one.numel()])
                at += one.numel()
            moment.copy_(torch.from_numpy(np.concatenate(parts)))


def _spread(policy: Policy, moment: torch.Tensor) -> NDArray[np.float32]:
    """The moments of what is trained, with zeros for what is frozen."""
    parts, at = [], 0
    for _, one in policy.layout():
        if one.requires_grad:
            parts.append(moment[at : at + one.numel()])
            at += one.numel()
        else:
            parts.append(torch.zeros(one.numel()))
    return _flat(parts)


def _flat(parts: Sequence[torch.Tensor]) -> NDArray[np.float32]:
    flat: NDArray[np.float32] = torch.cat([one.cpu().reshape(-1) for one in parts]).numpy()
    return flat
