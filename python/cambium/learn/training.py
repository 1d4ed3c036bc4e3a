"""The two things that are done with demonstrations: pretrain a stock with several bodies, graft one more body onto a
stock. Same files and same report as `cambium pretrain` and `cambium graft`."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import dataclass, field
from typing import Callable, Sequence

import numpy as np
import torch

from cambium.learn import files
from cambium.learn.bodies import completed, plant, policy_with
from cambium.learn.checkpoint import Checkpoint, identity_of, write_checkpoint
from cambium.learn.dataset import Dataset, make_dataset
from cambium.learn.demonstrations import F32, read_demonstrations
from cambium.learn.distributed import Processes
from cambium.learn.files import SHARED_HEAD, Stock, read_stock
from cambium.learn.model import Policy
from cambium.learn.recipe import Recipe, graft_recipe
from cambium.learn.trainer import LossPoint, Progress, Trainer, TrainingState
from cambium.status import CambiumError, Code

Watch = Callable[[Progress], bool]  #: called after each step; False interrupts: the state is written to a checkpoint


@dataclass
class PretrainJob:
    demonstrations: Sequence[str]  #: one file per embodiment
    output: str  #: folder: stock.safetensors, <embodiment>.safetensors, pretrain.loss.json
    recipe: Recipe = field(default_factory=Recipe)
    resume: bool = False  #: go on from the checkpoint in `output`
    force: bool = False  #: write over files that are there
    bundles: bool = True  #: False: only the stock
    device: str = "auto"


@dataclass
class GraftJob:
    demonstrations: str
    stock: str  #: read, never written
    output: str  #: the bundle; its checkpoint and loss.json lie beside it
    recipe: Recipe = field(default_factory=graft_recipe)
    resume: bool = False
    force: bool = False
    device: str = "auto"


@dataclass
class TrainingReport:
    interrupted: bool = False  #: `checkpoint` holds the state, nothing else was written
    step: int = 0
    steps: int = 0
    trunk_id: str = ""  #: of the stock that was written, or grafted onto
    trunk_id_before: str = ""  #: graft: the same, or it failed
    trained_weights: int = 0
    frozen_weights: int = 0
    seconds: float = 0.0  #: in the training loop of this run
    processes: int = 1
    device: str = "cpu"
    notes: list[str] = field(default_factory=list)
    checkpoint: str = ""
    files: list[str] = field(default_factory=list)
    curve: list[LossPoint] = field(default_factory=list)


def pretrain(job: PretrainJob, watch: Watch) -> TrainingReport:
    job.recipe.check()
    if not job.demonstrations:
        raise CambiumError(Code.bad_argument, "no demonstrations were named")
    recipe = completed(job.recipe)
    data = [_read(one, recipe, recipe.shared_sensors) for one in job.demonstrations]
    for i, one in enumerate(data):
        if any(one.embodiment == other.embodiment for other in data[:i]):
            raise CambiumError(
                Code.bad_argument, f"'{job.demonstrations[i]}': a second file of embodiment '{one.embodiment}'"
            )
        if recipe.head_kind == "joint" and one.chain is None:
            raise CambiumError(
                Code.incompatible,
                f"'{job.demonstrations[i]}': no joint_position was recorded, which a joint head needs",
            )
    policy, of_body = policy_with(data, recipe)
    stock_file = os.path.join(job.output, "stock.safetensors")
    bundles = [os.path.join(job.output, f"{one.embodiment}.safetensors") for one in data if job.bundles]
    checkpoint = os.path.join(job.output, "pretrain.checkpoint.safetensors")
    processes = Processes(job.device)
    processes.share(job.recipe.batch)  # refuses before anybody waits for another
    with processes:
        _make_room([stock_file, *bundles], job.force)
        processes.wait()  # who comes late must not find what another has written
        policy.begin(recipe.seed)
        run = _Run(policy, data, of_body, recipe, checkpoint, processes)
        report = run.train(job.resume, watch)
        if report.interrupted or not processes.first:
            return report
        trained = run.describe("pretrain", report)
        weights = _weights(policy)
        stock = files.write_stock(
            stock_file,
            policy.shape,
            policy.shared_stems,
            policy.shared_head,
            {name: weights[name] for name in policy.stock_names()},
            trained,
        )
        report.trunk_id = report.trunk_id_before = stock.trunk_id
        for bundle, dataset, body in zip(bundles, data, of_body):
            _write_bundle(bundle, policy, body, dataset, recipe, stock, weights, trained)
        report.files = [stock_file, *bundles, _write_curve(os.path.join(job.output, "pretrain.loss"), trained, report)]
        _remove(checkpoint)
        return report


def graft(job: GraftJob, watch: Watch) -> TrainingReport:
    job.recipe.check()
    stock = read_stock(job.stock)
    data = _read(job.demonstrations, job.recipe, [one.sensor for one in stock.shared_stems], stock)
    planted = plant(stock, data, job.recipe)
    policy = planted.policy
    stem = os.path.splitext(job.output)[0]
    processes = Processes(job.device)
    processes.share(job.recipe.batch)  # refuses before anybody waits for another
    with processes:
        _make_room([job.output], job.force)
        if os.path.exists(job.output) and os.path.samefile(job.stock, job.output):
            raise CambiumError(Code.bad_argument, f"'{job.output}' is the stock itself")
        processes.wait()
        policy.freeze_stock()
        run = _Run(policy, [data], [0], planted.recipe, f"{stem}.checkpoint.safetensors", processes)
        before = {name: weights.copy() for name, weights in _weights(policy).items()}
        report = run.train(job.resume, watch)
        report.notes = planted.notes + report.notes
        weights = _weights(policy)
        # The promise of a graft: neither the weights in memory nor the file has changed.
        if not all(np.array_equal(before[name], weights[name]) for name in policy.stock_names()):
            raise CambiumError(Code.failed, "the frozen weights changed while training; nothing was written")
        report.trunk_id_before, report.trunk_id = stock.trunk_id, read_stock(job.stock).trunk_id
        if report.trunk_id != report.trunk_id_before:
            raise CambiumError(
                Code.incompatible,
                f"'{job.stock}' was {report.trunk_id_before} when training began and is {report.trunk_id} now; nothing "
                "was written",
            )
        if report.interrupted or not processes.first:
            return report
        trained = run.describe("graft", report)
        _write_bundle(job.output, policy, 0, data, job.recipe, stock, weights, trained)
        report.files = [job.output, _write_curve(f"{stem}.loss", trained, report)]
        _remove(run.checkpoint)
        return report


class _Run:
    """What pretraining and grafting have in common."""

    def __init__(
        self,
        policy: Policy,
        data: Sequence[Dataset],
        of_body: Sequence[int],
        recipe: Recipe,
        checkpoint: str,
        processes: Processes,
    ) -> None:
        self.policy, self.data, self.recipe = policy, data, recipe
        self.checkpoint, self.processes = checkpoint, processes
        self.grouped = [
            [one for one, body in zip(data, of_body) if body == index] for index in range(len(policy.bodies))
        ]

    def train(self, resume: bool, watch: Watch) -> TrainingReport:
        """To the end or to an interruption (then the checkpoint is written)."""
        recipe, processes = self.recipe, self.processes
        processes.use_threads(recipe.threads)
        report = TrainingReport(steps=recipe.steps, processes=processes.count, device=str(processes.device))
        for one in self.data:
            report.notes += [f"{one.embodiment}: {sensor} was recorded but is not read" for sensor in one.left_out]
        for one in self.data:
            if not len(one.validation):
                report.notes.append(f"{one.embodiment}: no episode is held out, so there is no validation loss")
        every = [parameter for _, parameter in self.policy.layout()]
        report.trained_weights = sum(one.numel() for one in every if one.requires_grad)
        report.frozen_weights = sum(one.numel() for one in every if not one.requires_grad)
        report.checkpoint = self.checkpoint

        identity = identity_of(self.policy, self.data, recipe)
        saved = Checkpoint(self.checkpoint, self.policy, identity) if resume else None
        if saved:
            saved.restore_weights(self.policy)
        trainer = Trainer(self.policy, self.grouped, recipe, processes)
        if saved:
            saved.restore_moments(self.policy, trainer.optimiser)
        state = saved.state if saved else TrainingState()

        def after(progress: Progress) -> bool:
            due = recipe.checkpoint_every > 0 and state.step % recipe.checkpoint_every == 0
            if due and state.step < recipe.steps and processes.first:
                write_checkpoint(self.checkpoint, self.policy, trainer.optimiser, state, identity)
            return watch(progress)

        begin = time.perf_counter()
        trainer.run(state, after)
        report.seconds = time.perf_counter() - begin
        report.step, report.curve = state.step, state.curve
        report.interrupted = state.step < recipe.steps
        if report.interrupted and processes.first:
            write_checkpoint(self.checkpoint, self.policy, trainer.optimiser, state, identity)
        return report

    def describe(self, what: str, report: TrainingReport) -> str:
        recipe = self.recipe
        text = f"{what} (PyTorch {torch.__version__}, {report.processes} x {self.processes.device.type})"
        text += f" seed {recipe.seed}, {recipe.steps} steps of {len(self.grouped)} x {recipe.batch}"
        if len(self.data) > len(self.grouped):
            text += f", {len(self.data)} embodiments"
        text += f", {sum(one.demonstrations.episodes for one in self.data)} episodes"
        if report.curve and math.isfinite(report.curve[-1].validation):
            text += f", validation loss {report.curve[-1].validation:.4f}"
        return text


def _read(file: str, recipe: Recipe, shared: Sequence[str], stock: Stock | None = None) -> Dataset:
    demonstrations = read_demonstrations(file)
    if demonstrations.embodiment == "shared":
        raise CambiumError(Code.bad_data, f"'{file}': an embodiment cannot be called 'shared'")
    joints = stock is not None and any(not one.shape for one in stock.shared_stems)
    if joints and demonstrations.scale.chain is None:  # a body without axes has a stem of its own
        joints, shared = False, [one for one in shared if one != "joint_position"]
    private = [one for one in recipe.private_sensors if one not in shared]
    dataset = make_dataset(demonstrations, private, shared, recipe)
    for one in dataset.inputs:
        stem = stock.stem(one.sensor) if stock and one.shared else None
        if stem is not None and stem.shape and stem.shape != one.shape:
            raise CambiumError(
                Code.incompatible,
                f"'{file}': sensor '{one.sensor}' is {list(one.shape)}, the shared stem of "
                f"'{stock.path if stock else ''}' reads {list(stem.shape)}",
            )
    return dataset


def _weights(policy: Policy) -> dict[str, F32]:
    return {name: one.detach().cpu().numpy() for name, one in policy.layout()}


def _write_bundle(
    path: str,
    policy: Policy,
    body: int,
    data: Dataset,
    recipe: Recipe,
    stock: Stock,
    weights: dict[str, F32],
    trained: str,
) -> None:
    spec = policy.bodies[body]
    mine = {f"stems.{spec.name}_{one.sensor}." for one in spec.stems if not one.shared} | {f"heads.{spec.name}."}
    tensors = {name: values for name, values in weights.items() if name.startswith(tuple(mine))}
    if spec.head_shared:  # of several bodies, whose name is not this one's
        for name, values in weights.items():
            if name.startswith(SHARED_HEAD):
                tensors[f"heads.{data.embodiment}.{name[len(SHARED_HEAD) :]}"] = values
    files.write_bundle(path, spec, data, recipe, stock, tensors, trained)


def _make_room(paths: Sequence[str], force: bool) -> None:
    for path in paths:
        if not force and os.path.exists(path):
            raise CambiumError(Code.bad_argument, f"'{path}' is there already; --force writes over it")
        try:
            os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        except OSError as error:
            raise CambiumError(Code.failed, f"'{path}': cannot create its folder: {error.strerror}") from None


def _write_curve(stem: str, title: str, report: TrainingReport) -> str:
    points = []
    for one in report.curve:
        held = {"validation": one.validation} if math.isfinite(one.validation) else {}
        points.append({"step": one.step, "training": one.training, **held})
    with open(f"{stem}.json", "w", encoding="utf-8") as out:
        out.write(json.dumps({"title": title, "curve": points}, indent=1) + "\n")
    return f"{stem}.json"


def _remove(path: str) -> None:
    if os.path.exists(path):  # it may never have been written
        os.unlink(path)
