"""`python3 -m cambium.learn VERB`, also under torchrun: options, exit codes and report as of `cambium VERB`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any, Callable, Sequence

from cambium.learn import Recipe, graft_recipe, lerobot, need_torch
from cambium.learn.recipe import JOINT_HEAD_WIDTHS
from cambium.status import CambiumError, Code

if TYPE_CHECKING:
    from cambium.learn.trainer import Progress
    from cambium.learn.training import TrainingReport

DONE, FAILED, BAD_INPUT = range(3)
_AT_FAULT = (Code.bad_argument, Code.bad_data, Code.not_found, Code.incompatible)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except CambiumError as error:
        if os.environ.get("RANK", "0") == "0":  # the others say the same
            print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT if error.code in _AT_FAULT else FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m cambium.learn",
        description="Train with PyTorch what `cambium pretrain` and `cambium graft` train, also beyond one machine.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_pretrain(verbs)
    _add_graft(verbs)
    lerobot.add_arguments(_verb(verbs, "lerobot", lerobot.SUMMARY, lerobot.EXAMPLES))
    return parser


def _verb(verbs: Any, name: str, summary: str, examples: str) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"Examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return verb


def _add_pretrain(verbs: Any) -> None:
    verb = _verb(
        verbs,
        "pretrain",
        "Train a trunk and its shared stems with several embodiments at once",
        "  python3 -m cambium.learn pretrain demos/planar3.safetensors demos/panda7.safetensors -o models\n"
        "  torchrun --nproc_per_node 8 -m cambium.learn pretrain demos/*.safetensors -o models --batch 256\n"
        "  python3 -m cambium.learn pretrain demos/*.safetensors -o models --resume    after Ctrl-C",
    )
    verb.add_argument("demonstrations", nargs="+", help="one .safetensors file per embodiment")
    verb.add_argument(
        "-o", "--output", required=True, help="folder for stock.safetensors, a bundle per embodiment and the loss curve"
    )
    verb.add_argument("--no-bundles", dest="bundles", action="store_false", help="write the stock only")
    recipe = Recipe()
    _add_recipe(verb, recipe)
    trunk = verb.add_argument_group("trunk")
    trunk.add_argument("--architecture", default=recipe.architecture, help="hpt")
    trunk.add_argument("--width", type=int, default=recipe.width, help="numbers in a token (%(default)s)")
    trunk.add_argument("--blocks", type=int, default=recipe.blocks, help="transformer blocks (%(default)s)")
    trunk.add_argument("--heads", type=int, default=recipe.heads, help="attention heads (%(default)s)")
    trunk.add_argument(
        "--private",
        dest="private_sensors",
        type=_names,
        default=recipe.private_sensors,
        help="sensors whose stems belong to an embodiment, in order (joint_position)",
    )
    trunk.add_argument(
        "--shared",
        dest="shared_sensors",
        type=_names,
        default=recipe.shared_sensors,
        help="sensors whose stems belong to the stock, in order (tool,goal)",
    )
    trunk.add_argument(
        "--head",
        dest="head_kind",
        default=recipe.head_kind,
        help="mlp: one a body; joint: one for every joint of every body whose axes are described",
    )
    verb.set_defaults(run=lambda options: _run_training(options, _pretrain))


def _add_graft(verbs: Any) -> None:
    verb = _verb(
        verbs,
        "graft",
        "Train one more embodiment on a stock, which stays as it is",
        "  python3 -m cambium.learn graft demos/so101.safetensors --stock stock.safetensors -o so101.safetensors\n"
        "  torchrun --nproc_per_node 2 -m cambium.learn graft demos/ur5e.safetensors -s models/stock.safetensors \\\n"
        "      -o ur5e.safetensors --steps 3000",
    )
    verb.add_argument("demonstrations", help="demonstrations of the embodiment (.safetensors)")
    verb.add_argument("-s", "--stock", required=True, help="trunk and shared stems to graft onto; only read")
    verb.add_argument("-o", "--output", required=True, help="bundle to write (.safetensors)")
    _add_recipe(verb, graft_recipe())
    verb.set_defaults(run=lambda options: _run_training(options, _graft))


def _add_recipe(verb: argparse.ArgumentParser, recipe: Recipe) -> None:
    verb.add_argument("--resume", action="store_true", help="go on where an interrupted training stopped")
    verb.add_argument("--force", action="store_true", help="write over what is there")
    verb.add_argument("--json", action="store_true", help="report as JSON on stdout")
    verb.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="cuda: a GPU for each process")
    group = verb.add_argument_group("recipe")
    for name, kind, text in (
        ("steps", int, "steps of the optimiser"),
        ("batch", int, "samples per embodiment and step, of all processes together"),
        ("learning_rate", float, "AdamW's, after warm-up"),
        ("ready_head_rate", float, "part of the learning rate where a graft's head begins as the stock's"),
        ("weight_decay", float, "decoupled"),
        ("warm_up", int, "steps until the full learning rate; a cosine to 1 %% follows"),
        ("clip", float, "largest norm of a gradient, 0: any"),
        ("seed", int, "same seed, same weights to begin with and same rows"),
        ("threads", int, "of each process, 0: all cores shared out"),
        ("validation", float, "share of episodes held out"),
        ("stem_widths", _sizes, "hidden layers of a stem"),
        ("head_widths", _sizes, "hidden layers of a head"),
    ):
        default = getattr(recipe, name)
        shown = ",".join(str(one) for one in default) if isinstance(default, tuple) else default
        group.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default, help=f"{text} ({shown})")
    verb.set_defaults(defaults=recipe)


def _names(text: str) -> tuple[str, ...]:
    return tuple(one for one in text.split(",") if one)


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(one) for one in text.split(",") if one)


def _recipe_of(options: argparse.Namespace) -> Recipe:
    given = vars(options)
    fields = (one.name for one in dataclasses.fields(Recipe))
    return dataclasses.replace(options.defaults, **{name: given[name] for name in fields if name in given})


def _pretrain(options: argparse.Namespace, watch: Callable[[Progress], bool]) -> TrainingReport:
    from cambium.learn.training import PretrainJob, pretrain

    recipe = _recipe_of(options)
    if recipe.head_kind == "joint" and recipe.head_widths is options.defaults.head_widths:  # not told
        recipe = dataclasses.replace(recipe, head_widths=JOINT_HEAD_WIDTHS)
    files, resume, force, bundles = options.demonstrations, options.resume, options.force, options.bundles
    return pretrain(PretrainJob(files, options.output, recipe, resume, force, bundles, options.device), watch)


def _graft(options: argparse.Namespace, watch: Callable[[Progress], bool]) -> TrainingReport:
    from cambium.learn.training import GraftJob, graft

    recipe, force = _recipe_of(options), options.force
    job = GraftJob(options.demonstrations, options.stock, options.output, recipe, options.resume, force, options.device)
    return graft(job, watch)


def _run_training(options: argparse.Namespace, train: Callable[..., TrainingReport]) -> int:
    # Threads that spin while they wait starve those that compute where a machine has more to do.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    need_torch()
    from cambium.learn.progress import ProgressLine

    first = os.environ.get("RANK", "0") == "0"
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        signal.signal(number, signal.SIG_DFL)  # who asks twice does not want to wait

    for number in (signal.SIGINT, signal.SIGTERM):  # torchrun passes the latter on
        signal.signal(number, ask)
    line = ProgressLine(sys.stderr)

    def watch(progress: Progress) -> bool:
        if first:
            line.show(progress)
        return not asked

    try:
        report = train(options, watch)
    finally:
        line.close()
    if not first:
        return FAILED if report.interrupted else DONE
    if options.json:
        print(json.dumps(_as_json(report), indent=1))
    else:
        _print(report)
    if not report.interrupted:
        return DONE
    print(
        f"interrupted after step {report.step} of {report.steps}; the same command with --resume goes on from "
        f"{report.checkpoint}",
        file=sys.stderr,
    )
    return FAILED


def _as_json(report: TrainingReport) -> dict[str, Any]:
    out = dataclasses.asdict(report)
    if not report.interrupted:
        del out["checkpoint"]
    for point in out["curve"]:
        if not math.isfinite(point["validation"]):
            del point["validation"]
    return out


def _print(report: TrainingReport) -> None:
    for note in report.notes:
        print(f"note: {note}")
    if report.interrupted:
        return
    where = f"{report.processes} process{'es' if report.processes > 1 else ''} on {report.device}"
    print(
        f"trained {report.trained_weights} weights, {report.frozen_weights} frozen, {report.steps} steps in "
        f"{report.seconds:.1f} s ({where})"
    )
    last = report.curve[-1]
    held = f", on held-out episodes {last.validation:.4f}" if math.isfinite(last.validation) else ""
    print(f"loss {last.training:.4f}{held}")
    print(f"trunk {report.trunk_id}{' (unchanged)' if report.frozen_weights else ''}")
    for file in report.files:
        print(f"wrote {file}")


if __name__ == "__main__":
    sys.exit(main())
