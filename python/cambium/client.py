"""A controller's end of the socket: interfaces/cambium/client.hpp for Python."""

from __future__ import annotations

import math
import os
import sys
import time
from types import TracebackType
from typing import Any, Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cambium._wire import schema
from cambium._wire.dealer import Dealer
from cambium.keys import Keys, Path
from cambium.link import Link
from cambium.nearest import did_you_mean
from cambium.robot import ActionReply, ChunkReply, ClientEvent, Drive, EventKind, RobotInfo
from cambium.status import CambiumError, Code

SHARE_FROM = 8192
"""[bytes] Below, bytes are as fast as shared memory."""
NEVER_SHARE = math.inf

_SILENT_CALLS_BEFORE_HELLO = 3  # then the host has forgotten us or is gone


class Client:
    """Drives one robot through a host.

    One client, one thread; nothing runs in the background but ZeroMQ's own I/O. A host that is away,
    restarts or refuses is an event and an empty answer, never an exception: the controller keeps its
    robot still and calls again; the client reconnects by itself. What is wrong with the program that
    calls (a sensor that the robot does not have, a shape that does not fit) is a CambiumError.
    """

    def __init__(
        self,
        endpoint: str,
        robot: str,
        *,
        embodiment: str = "",
        name: str = "",
        on_event: Callable[[ClientEvent], None] | None = None,
        share_from: float = SHARE_FROM,
        hold_chunks: bool = False,
        key_file: Path = "",
        host_key_file: Path = "",
    ) -> None:
        """Checks the options, reads the keys and opens the socket; does not wait for the host.

        endpoint       of the host's controllers, "ipc:///run/cambium/control"
        robot          slot to drive
        embodiment     body this controller was written for; empty: take what is there
        name           shown to people; empty: program and pid
        on_event       called from inside the client's calls, on their thread
        share_from     [bytes] larger readings go through shared memory if the host is on this machine
        hold_chunks    `infer()` answers what the policy or the trunk refuses with rows that bring the
                       robot to rest where it is and hold it there, instead of with an error
        key_file       own secret key, as `cambium keys new` made it; over tcp the connection is
                       encrypted then; empty: none, and only hosts on this machine are called
        host_key_file  public key of the host; empty: the host has the same key as this controller
        """
        if not endpoint:
            raise CambiumError(Code.bad_argument, "client: no endpoint was given")
        if not robot:
            raise CambiumError(Code.bad_argument, "client: no robot was named")
        name = name or f"{os.path.basename(sys.argv[0]) or 'python'}, pid {os.getpid()}"
        hello = {"client": name, "robot": robot, "embodiment": embodiment}
        self._link = Link(Dealer(endpoint, Keys.open(key_file, host_key_file)), hello, share_from, on_event)
        self._link.understand(schema.ACTION, self._on_action)
        self._link.understand(schema.CHUNK, self._on_chunk)
        self._hold_chunks = hold_chunks
        self._answered = 0  # the newest observation that the host is known to be done with
        self._answer: ActionReply | ChunkReply | None = None  # to the last observation
        self._silent_calls = 0
        self._last_drive = Drive.policy
        self._demonstrated: NDArray[np.float32] | None = None  # of the next observation
        self._label: NDArray[np.float32] | None = None

    def close(self) -> None:
        """Ends the connection; the host notices by the silence. Twice is once."""
        self._link.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def robot(self) -> RobotInfo | None:
        """None until the host has accepted us, and after the body changed."""
        return self._link.info if self._link.connected else None

    def wait(self, timeout: float) -> RobotInfo:
        """Waits [s] until the host has accepted us.

        Raises CambiumError: unavailable (nobody answers), or the host's refusal with its sentence.
        """
        self._silent_calls = 0
        return self._link.wait(time.monotonic() + timeout)

    def set(self, sensor: str | int, values: ArrayLike) -> Code:
        """Sets one reading of the next observation; copied.

        sensor  name, or index into `RobotInfo.sensors`
        values  numbers of `SensorInfo.shape`, in that shape or flat, in `SensorInfo.unit`; sent as f32

        Returns ok, or unavailable while not connected. Raises CambiumError: not_found for a sensor that
        the robot does not have, bad_argument for values that do not fit it.
        """
        info = self.robot
        if info is None:
            return Code.unavailable
        self._link.readings.set(_index_of(sensor, info), values, self._answered)
        return Code.ok

    def start_episode(self) -> None:
        """The next observation starts a new episode: the host forgets window and chunk, and takes the
        robot's velocity from what it measures; a trunk that remembers begins anew. The first one does so
        by itself; when the connection is made again, window and chunk are forgotten, but what the trunk
        remembers goes on."""
        self._link.start_episode()

    def demonstrate(self, action: ArrayLike, label: ArrayLike | None = None) -> Code:
        """A person or an expert commands this tick: the next `act()` sends it along, and what is answered is this
        action, once it has passed the safety gate, instead of the policy's. Copied.

        action  (dof) numbers, unit of `RobotInfo.action`
        label   (dof) what a policy is to learn of this tick, if that is not what is commanded: an expert whose
                commands are disturbed on purpose

        Returns ok, or unavailable while not connected. Raises CambiumError: bad_argument for what does not fit.
        """
        info = self.robot
        if info is None:
            return Code.unavailable
        shown = _numbers("action", action, info)
        self._label = None if label is None else _numbers("label", label, info)
        self._demonstrated = shown
        return Code.ok

    def act(self, timeout: float) -> ActionReply:
        """Sends what was set and waits [s] for the gated action.

        The reply is true if there is one. Else its `code` says why not: timeout (no answer in time; a late
        one will be dropped, never mistaken for the next), unavailable (not connected), stale (the body
        changed), bad_argument (a sensor was not set since the connection was made), or the host's refusal.
        """
        try:
            code = self._exchange(schema.WANT_ACTION, 0, timeout)
        finally:
            self._demonstrated = self._label = None  # a command is for one tick, sent or not
        answer = self._answer
        return answer if code is Code.ok and isinstance(answer, ActionReply) else ActionReply(code)

    def infer(self, timeout: float) -> ChunkReply:
        """Sends what was set and waits [s] for a fresh chunk (lockstep). Codes as of `act()`; bad_argument after
        `demonstrate()`."""
        if self._demonstrated is not None:
            return ChunkReply(Code.bad_argument)  # a chunk is the policy's
        if self._hold_chunks:
            # An eighth is left for the answer: one that the robot makes is better than none.
            patience_ms = min(max(int(timeout * 875), 1), 60_000)
            code = self._exchange(schema.WANT_CHUNK_OR_HOLD, patience_ms, timeout)
        else:
            code = self._exchange(schema.WANT_CHUNK, 0, timeout)
        answer = self._answer
        return answer if code is Code.ok and isinstance(answer, ChunkReply) else ChunkReply(code)

    # What follows is the client's own.

    def _exchange(self, want: int, patience_ms: int, timeout: float) -> Code:
        """Sends the observation and polls until its answer is in."""
        link, deadline = self._link, time.monotonic() + timeout
        if not link.connected:
            if not link.try_hello(deadline):
                return Code.unavailable
            self._silent_calls = 0
        if link.readings.missing():
            return Code.bad_argument
        self._answer = None
        link.refusal = Code.ok
        if not link.send_observation(want, patience_ms, self._demonstrated, self._label):
            link.lost("the host is gone")
            return Code.unavailable
        while not self._is_answer(want):
            if link.refusal is not Code.ok:
                return link.refusal
            if time.monotonic() >= deadline:
                self._silent_calls += 1
                if self._silent_calls >= _SILENT_CALLS_BEFORE_HELLO:
                    link.lost("no answer from the host")
                    self._silent_calls = 0
                return Code.timeout
            if not link.receive_one():
                link.sleep(deadline)
        self._silent_calls = 0
        link.task_begun()
        return Code.ok

    def _is_answer(self, want: int) -> bool:
        return isinstance(self._answer, ActionReply if want == schema.WANT_ACTION else ChunkReply)

    def _on_action(self, message: dict[str, Any]) -> None:
        info = self._link.info
        if info is None or not self._link.is_for_us(message, len(info.joints)):
            return
        self._answered = message["sequence"]
        answer = ActionReply(
            Code.ok,
            Drive.of(message["drive"]),
            Code.of(message["reason"]),
            message["generation"],
            message["limited"],
            message["values"],
        )
        self._answer = answer
        self._link.note_generation(answer.generation)
        if answer.drive is not self._last_drive:
            self._last_drive = answer.drive
            reason = "" if answer.reason is Code.ok else f": {answer.reason}"
            self._link.tell(EventKind.drive_changed, f"{answer.drive}{reason}")

    def _on_chunk(self, message: dict[str, Any]) -> None:
        info, horizon, dof = self._link.info, message["horizon"], message["dof"]
        if info is None or dof != len(info.joints) or not self._link.is_for_us(message, horizon * dof):
            return
        self._answered = message["sequence"]
        self._answer = ChunkReply(
            Code.ok,
            message["generation"],
            message["trunk_compute_us"],
            Drive.of(message["drive"]),
            Code.of(message["reason"]),
            message["values"].reshape(horizon, dof),
        )
        self._link.note_generation(message["generation"])


def _index_of(sensor: str | int, info: RobotInfo) -> int:
    if isinstance(sensor, str):
        names = [one.name for one in info.sensors]
        if sensor in names:
            return names.index(sensor)
        what = f"has no sensor '{sensor}'{did_you_mean(sensor, names)}"
        raise CambiumError(Code.not_found, f"robot '{info.robot}', embodiment '{info.embodiment}': {what}")
    if 0 <= sensor < len(info.sensors):
        return int(sensor)
    raise CambiumError(Code.bad_argument, f"no sensor {sensor}, the robot has {len(info.sensors)}")


def _numbers(what: str, values: ArrayLike, info: RobotInfo) -> NDArray[np.float32]:
    dof = len(info.joints)
    try:
        array = np.array(values, dtype=np.float32)
    except (TypeError, ValueError):
        raise CambiumError(Code.bad_argument, f"{what}: expected {dof} numbers (f32)") from None
    if array.shape != (dof,):
        text = f"{what}: values of shape {array.shape}, robot '{info.robot}' has {dof} joints"
        raise CambiumError(Code.bad_argument, text)
    return array
