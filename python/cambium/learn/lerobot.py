"""Datasets in the layout of LeRobot as demonstrations: meta/info.json and data/chunk-*/*.parquet of their versions 2
and 3, read with pyarrow or pandas where one of them is installed. Videos are not read.

Their keys say nothing about units or limits, so a mapping, a JSON file, says what each sensor is made of:

    {"embodiment": "so101", "action_kind": "joint_position", "horizon": 8,
     "joints": [{"name": "shoulder_pan", "min": -1.92, "max": 1.92, "velocity_max": 3.5}, …],
     "home_tool": [0.21, 0, 0.16], "reach": 0.42,
     "sensors": {"joint_position": {"key": "observation.state", "take": [0, 1, 2, 3, 4], "scale": 0.0174533}},
     "action": {"key": "action", "take": [0, 1, 2, 3, 4], "scale": 0.0174533}}

A sensor is number * scale + offset of those that `take` names (all, if it is left out); "min" and "max" are between
which its numbers lie, for a private one. "joint_chain" may be there as demonstrations have it (docs/files.md).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cambium.learn.demonstrations import (
    ACTION_KINDS,
    F32,
    Demonstrations,
    EmbodimentScale,
    RecordedSensor,
    write_demonstrations,
)
from cambium.learn.fields import Fields
from cambium.learn.joint_chain import ChainSpec
from cambium.nearest import did_you_mean
from cambium.status import CambiumError, Code

SUMMARY = "Convert a dataset in LeRobot's layout into demonstrations"
EXAMPLES = "  python3 -m cambium.learn lerobot ~/datasets/pick --mapping so101.json -o demos/so101.safetensors"

_EPISODE, _FRAME = "episode_index", "frame_index"
_MOST = 4096


@dataclass(frozen=True)
class Source:
    """Where a sensor's numbers come from."""

    key: str  #: "observation.state"
    take: tuple[int, ...]  #: of its numbers; empty: all
    scale: F32  #: to SI units; one number, or one for each
    offset: F32
    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class BodyMapping:
    """What the dataset does not say of the robot."""

    embodiment: str
    action_kind: str
    horizon: int
    scale: EmbodimentScale
    sensors: dict[str, Source]
    action: Source


def read_mapping(path: str | os.PathLike[str]) -> BodyMapping:
    value = _read_json(Path(path))
    fields = Fields(value, f"'{os.fspath(path)}':")
    joints = [Fields(one, f"'{os.fspath(path)}': joint {i}") for i, one in enumerate(fields.list("joints"))]
    home = fields.numbers("home_tool")
    if len(home) != 3:
        raise fields.fail("home_tool", f"has {len(home)} numbers, expected 3")
    scale = EmbodimentScale(
        [one.text("name") for one in joints],
        [one.number("min") for one in joints],
        [one.number("max") for one in joints],
        [one.number("velocity_max") for one in joints],
        (home[0], home[1], home[2]),
        fields.number("reach"),
    )
    for one in joints:
        one.finish()
    if fields.has("joint_chain"):
        scale.chain = ChainSpec.from_text(json.dumps(fields.numbers("joint_chain")))
    mapping = BodyMapping(
        fields.text("embodiment"),
        fields.one_of("action_kind", ACTION_KINDS),
        fields.count("horizon", 1, _MOST),
        scale,
        {name: _source(one, f"{fields.where} sensor '{name}'") for name, one in fields.object("sensors").items()},
        _source(fields.object("action"), f"{fields.where} action"),
    )
    fields.finish()
    return mapping


def read_lerobot(folder: str | os.PathLike[str], mapping: BodyMapping) -> Demonstrations:
    """Errors name file and key. The chunk of a row are the actions of its `horizon` next ticks; behind an episode's end
    a position is held, and a velocity is 0."""
    root = Path(folder)
    info = _read_json(root / "meta" / "info.json")
    features, fps = info.get("features"), info.get("fps")
    where = f"'{root / 'meta' / 'info.json'}'"
    version = str(info.get("codebase_version", ""))
    if not version.startswith(("v2.", "v3.")):
        raise CambiumError(Code.incompatible, f"{where}: codebase_version is '{version}', expected v2.x or v3.x")
    if not isinstance(features, dict) or type(fps) not in (int, float) or not 0 < fps < math.inf:
        raise CambiumError(Code.bad_data, f"{where}: no features, or no fps above 0")
    for source in (*mapping.sensors.values(), mapping.action):
        _check_feature(where, features, source)

    files = sorted((root / "data").glob("chunk-*/*.parquet"))
    if not files:
        raise CambiumError(Code.not_found, f"'{root}': no data/chunk-*/*.parquet; has it been downloaded whole?")
    keys = list(dict.fromkeys(one.key for one in (*mapping.sensors.values(), mapping.action)))
    tables = [read_columns(file, [_EPISODE, _FRAME, *keys]) for file in files]
    columns = {key: np.concatenate([table[key] for table in tables]) for key in (_EPISODE, _FRAME, *keys)}
    episode, frame = (columns[key].reshape(-1).astype(np.int64) for key in (_EPISODE, _FRAME))
    order = np.lexsort((frame, episode))
    episode, frame = episode[order], frame[order]
    start = np.append(np.flatnonzero(np.diff(episode, prepend=episode[0] - 1)), len(episode))
    _check_frames(root, episode, frame, start)

    sensors = {}
    for name, source in mapping.sensors.items():
        values = _take(source, columns[source.key][order], name)
        sensors[name] = RecordedSensor(values, source.low, source.high)
    action = _take(mapping.action, columns[mapping.action.key][order], "action")
    result = Demonstrations(
        mapping.embodiment,
        mapping.action_kind,
        float(fps),
        mapping.horizon,
        len(mapping.scale.joint_names),
        mapping.scale,
        start.astype(np.int64),
        sensors,
        chunks(action, start, mapping.horizon, mapping.action_kind == "joint_position"),
    )
    try:
        result.check()
    except CambiumError as error:
        raise CambiumError(error.code, f"'{root}': {error}") from None
    return result


def chunks(action: F32, start: NDArray[np.int64], horizon: int, hold: bool) -> F32:
    """(rows, dof) to (rows, horizon, dof): of each row the actions from there on; past its episode's end the last one is
    held, or they are 0."""
    last = np.repeat(start[1:] - 1, np.diff(start))
    index = np.arange(len(action))[:, None] + np.arange(horizon)
    out = action[np.minimum(index, last[:, None])]
    return out if hold else np.where((index <= last[:, None])[:, :, None], out, np.float32(0))


def read_columns(file: Path, keys: Sequence[str]) -> dict[str, NDArray[Any]]:
    """(rows) or (rows, numbers) of each key."""
    try:
        if importlib.util.find_spec("pyarrow") is not None:
            import pyarrow.parquet

            table = pyarrow.parquet.read_table(file, columns=list(keys))
            return {key: np.asarray(table.column(key).to_pylist()) for key in keys}
        if importlib.util.find_spec("pandas") is not None:
            import pandas

            frame = pandas.read_parquet(file, columns=list(keys))
            return {key: np.stack(frame[key].to_numpy()) for key in keys}
    except Exception as error:  # each reader has errors of its own
        raise CambiumError(Code.bad_data, f"'{file}': cannot be read: {error}") from None
    raise CambiumError(
        Code.unavailable,
        f"'{file}': .parquet is read with pyarrow or pandas, and neither is here: pip install pyarrow (lerobot has it)",
    )


def _source(value: Any, where: str) -> Source:
    fields = Fields(value, where)
    key = fields.text("key")
    take = fields.numbers("take") if fields.has("take") else []
    if any(one < 0 or one != int(one) for one in take):
        raise fields.fail("take", f"is {take}, expected whole numbers from 0")

    def factor(name: str, default: float) -> F32:
        if not fields.has(name):
            return np.array([default], np.float32)
        many = isinstance(value[name], list)
        return np.array(fields.numbers(name) if many else [fields.number(name)], np.float32)

    limits = [fields.numbers(name) if fields.has(name) else [] for name in ("min", "max")]
    source = Source(
        key, tuple(int(one) for one in take), factor("scale", 1), factor("offset", 0), limits[0], limits[1]
    )
    fields.finish()
    return source


def _check_feature(where: str, features: Mapping[str, Any], source: Source) -> None:
    feature = features.get(source.key)
    if not isinstance(feature, dict):
        near = did_you_mean(source.key, list(features))
        raise CambiumError(Code.not_found, f"{where}: there is no feature '{source.key}'{near}")
    dtype, shape = feature.get("dtype"), feature.get("shape")
    if not isinstance(dtype, str) or not dtype.startswith(("float", "int")) or not isinstance(shape, list):
        raise CambiumError(
            Code.incompatible, f"{where}: feature '{source.key}' is {dtype} {shape}, expected a list of numbers"
        )
    size = math.prod(one for one in shape if isinstance(one, int))
    if any(one >= size for one in source.take):
        raise CambiumError(
            Code.incompatible, f"{where}: feature '{source.key}' has {size} numbers, 'take' wants {list(source.take)}"
        )


def _check_frames(root: Path, episode: NDArray[np.int64], frame: NDArray[np.int64], start: NDArray[np.int64]) -> None:
    expected = np.arange(len(frame)) - np.repeat(start[:-1], np.diff(start))
    wrong = np.flatnonzero(frame != expected)
    if len(wrong):
        i = int(wrong[0])
        raise CambiumError(
            Code.bad_data, f"'{root}': episode {episode[i]} goes on with frame {frame[i]}, expected {expected[i]}"
        )


def _take(source: Source, column: NDArray[Any], name: str) -> F32:
    values = column.reshape(len(column), -1).astype(np.float32)
    if source.take:
        values = values[:, list(source.take)]
    for factor in (source.scale, source.offset):
        if len(factor) not in (1, values.shape[1]):
            raise CambiumError(
                Code.bad_argument,
                f"{name}: scale or offset has {len(factor)} numbers, expected 1 or {values.shape[1]}",
            )
    return (values * source.scale + source.offset).astype(np.float32)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CambiumError(Code.not_found, f"'{path}': cannot open: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise CambiumError(Code.bad_data, f"'{path}': is not valid JSON: {error}") from None


def add_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("folder", help="the dataset: has meta/info.json")
    verb.add_argument("--mapping", required=True, help="JSON: what the robot is, which key is which sensor")
    verb.add_argument("-o", "--output", required=True, help="demonstrations to write (.safetensors)")
    verb.add_argument("--force", action="store_true", help="write over a file that is there")
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if os.path.exists(options.output) and not options.force:
        raise CambiumError(Code.bad_argument, f"'{options.output}' is there already; --force writes over it")
    demonstrations = read_lerobot(options.folder, read_mapping(options.mapping))
    write_demonstrations(options.output, demonstrations)
    print(f"wrote {options.output}: {demonstrations.episodes} episodes, {demonstrations.rows} rows")
    return 0
