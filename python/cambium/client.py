"""A controller's end of the socket: interfaces/cambium/client.hpp for Python."""

from __future__ import annotations

import dataclasses
import math
import os
import sys
import time
from types import TracebackType
from typing import Any, Callable

from numpy.typing import ArrayLike

from cambium._wire import schema
from cambium._wire.dealer import Dealer
from cambium._wire.reader import Malformed, identifier_of, read
from cambium._wire.welcome import robot_of
from cambium._wire.writer import write
from cambium.frame_ring import FrameRing
from cambium.keys import Keys, Path
from cambium.nearest import did_you_mean
from cambium.readings import Readings
from cambium.robot import ActionReply, ChunkReply, ClientEvent, Drive, EventKind, RobotInfo
from cambium.status import CambiumError, Code
from cambium.version import WIRE_PROTOCOL

SHARE_FROM = 8192
"""[bytes] Below, bytes are as fast as shared memory."""
NEVER_SHARE = math.inf

_HELLO_EVERY = 0.1  # [s]
_TRY_AGAIN = 0.005  # [s] not connected yet
_MEMORY_TAKES = 1.0  # [s] to be opened and mapped by the host
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
        self._slot, self._embodiment = robot, embodiment
        self._name = name or f"{os.path.basename(sys.argv[0]) or 'python'}, pid {os.getpid()}"
        self._on_event = on_event
        self._share_from = share_from
        self._hold_chunks = hold_chunks
        self._dealer = Dealer(endpoint, Keys.open(key_file, host_key_file))

        self._connected = False
        self._info: RobotInfo | None = None  # of the last Welcome
        self._robot_id = self._body = self._max_message_bytes = 0
        self._readings = Readings((), share_from)
        self._offered: FrameRing | None = None  # to the host, which has not answered yet
        self._offers = 0

        self._sequence = self._answered = 0
        self._episode_start = True
        self._new_task = True  # until the host has answered: a connection that breaks must not lose it
        self._next_hello = 0.0
        self._silent_calls = 0
        self._refusal = self._last_refusal_code = Code.ok
        self._last_refusal = ""
        self._answer: ActionReply | ChunkReply | None = None  # to the last observation
        self._last_drive = Drive.policy

    def close(self) -> None:
        """Ends the connection; the host notices by the silence. Twice is once."""
        self._connected = False
        self._readings.close()
        self._withdraw_offer()
        self._dealer.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def robot(self) -> RobotInfo | None:
        """None until the host has accepted us, and after the body changed."""
        return self._info if self._connected else None

    def wait(self, timeout: float) -> RobotInfo:
        """Waits [s] until the host has accepted us.

        Raises CambiumError: unavailable (nobody answers), or the host's refusal with its sentence.
        """
        self._last_refusal = ""
        if (self._connected or self._try_hello(time.monotonic() + timeout)) and self._info is not None:
            return self._info
        if self._last_refusal:
            raise CambiumError(self._last_refusal_code, self._last_refusal)
        raise CambiumError(Code.unavailable, self._dealer.why_nobody())

    def set(self, sensor: str | int, values: ArrayLike) -> Code:
        """Sets one reading of the next observation; copied.

        sensor  name, or index into `RobotInfo.sensors`
        values  numbers of `SensorInfo.shape`, in that shape or flat, in `SensorInfo.unit`; sent as f32

        Returns ok, or unavailable while not connected. Raises CambiumError: not_found for a sensor that
        the robot does not have, bad_argument for values that do not fit it.
        """
        if not self._connected or self._info is None:
            return Code.unavailable
        self._readings.set(self._index_of(sensor, self._info), values, self._answered)
        return Code.ok

    def start_episode(self) -> None:
        """The next observation starts a new episode: the host forgets window and chunk, and takes the
        robot's velocity from what it measures; a trunk that remembers begins anew. The first one does so
        by itself; when the connection is made again, window and chunk are forgotten, but what the trunk
        remembers goes on."""
        self._episode_start = self._new_task = True

    def act(self, timeout: float) -> ActionReply:
        """Sends what was set and waits [s] for the gated action.

        The reply is true if there is one. Else its `code` says why not: timeout (no answer in time; a late
        one will be dropped, never mistaken for the next), unavailable (not connected), stale (the body
        changed), bad_argument (a sensor was not set since the connection was made), or the host's refusal.
        """
        code = self._exchange(schema.WANT_ACTION, 0, timeout)
        answer = self._answer
        return answer if code is Code.ok and isinstance(answer, ActionReply) else ActionReply(code)

    def infer(self, timeout: float) -> ChunkReply:
        """Sends what was set and waits [s] for a fresh chunk (lockstep). Codes as of `act()`."""
        if self._hold_chunks:
            # An eighth is left for the answer: one that the robot makes is better than none.
            patience_ms = min(max(int(timeout * 875), 1), 60_000)
            code = self._exchange(schema.WANT_CHUNK_OR_HOLD, patience_ms, timeout)
        else:
            code = self._exchange(schema.WANT_CHUNK, 0, timeout)
        answer = self._answer
        return answer if code is Code.ok and isinstance(answer, ChunkReply) else ChunkReply(code)

    # What follows is the client's own.

    def _index_of(self, sensor: str | int, info: RobotInfo) -> int:
        if isinstance(sensor, str):
            names = [one.name for one in info.sensors]
            if sensor in names:
                return names.index(sensor)
            what = f"has no sensor '{sensor}'{did_you_mean(sensor, names)}"
            raise CambiumError(Code.not_found, f"robot '{info.robot}', embodiment '{info.embodiment}': {what}")
        if 0 <= sensor < len(info.sensors):
            return int(sensor)
        raise CambiumError(Code.bad_argument, f"no sensor {sensor}, the robot has {len(info.sensors)}")

    def _exchange(self, want: int, patience_ms: int, timeout: float) -> Code:
        """Sends the observation and polls until its answer is in."""
        deadline = time.monotonic() + timeout
        if not self._connected and not self._try_hello(deadline):
            return Code.unavailable
        if self._readings.missing():
            return Code.bad_argument
        self._answer = None
        if not self._send_observation(want, patience_ms):
            self._lost("the host is gone")
            return Code.unavailable
        self._refusal = Code.ok
        while not self._is_answer(want):
            if self._refusal is not Code.ok:
                return self._refusal
            if time.monotonic() >= deadline:
                self._silent_calls += 1
                if self._silent_calls >= _SILENT_CALLS_BEFORE_HELLO:
                    self._lost("no answer from the host")
                return Code.timeout
            if not self._receive_one():
                self._dealer.wait(deadline)
        self._silent_calls = 0
        self._new_task = False
        return Code.ok

    def _is_answer(self, want: int) -> bool:
        return isinstance(self._answer, ActionReply if want == schema.WANT_ACTION else ChunkReply)

    def _try_hello(self, deadline: float) -> bool:
        while True:
            while self._receive_one():
                pass
            if self._connected:
                return True
            now = time.monotonic()
            if now >= deadline:
                return False
            if now >= self._next_hello:
                self._next_hello = now + (_HELLO_EVERY if self._send_hello() else _TRY_AGAIN)
            self._dealer.wait(min(deadline, self._next_hello))

    def _send_hello(self) -> bool:
        hello = {
            "protocol": WIRE_PROTOCOL,
            "client": self._name,
            "robot": self._slot,
            "embodiment": self._embodiment,
        }
        return self._dealer.send(write(schema.HELLO, hello))

    def _send_observation(self, want: int, patience_ms: int) -> bool:
        self._sequence += 1
        observation = {
            "robot_id": self._robot_id,
            "body": self._body,
            "sequence": self._sequence,
            "time_ns": time.monotonic_ns(),
            "want": want,
            "episode_start": self._episode_start,
            "readings": self._readings.pack(self._sequence),
            "same_task": not self._new_task,
            "patience_ms": patience_ms,
        }
        sent = self._dealer.send(write(schema.OBSERVATION, observation))
        if sent:
            self._episode_start = False
        return sent

    def _receive_one(self) -> bool:
        message = self._dealer.receive()
        if message is None:
            return False
        kind, understand = self._understood().get(identifier_of(message), (None, None))
        if kind is not None and understand is not None:
            try:
                values = read(message, kind)
            except Malformed:  # as if it had not come
                return True
            understand(values)
        return True

    def _understood(self) -> dict[bytes, tuple[schema.Table, Callable[[dict[str, Any]], None]]]:
        return {
            b"CBAC": (schema.ACTION, self._on_action),
            b"CBCH": (schema.CHUNK, self._on_chunk),
            b"CBWL": (schema.WELCOME, self._on_welcome),
            b"CBSM": (schema.MEMORY, self._on_memory),
            b"CBNT": (schema.NOTICE, self._on_notice),
        }

    def _is_for_us(self, message: dict[str, Any], numbers: int) -> bool:
        # A late answer belongs to an observation that is gone: dropped, never mistaken for the next.
        late = message["sequence"] != self._sequence or message["body"] != self._body
        return self._connected and not late and message["values"] is not None and message["values"].size == numbers

    def _on_action(self, message: dict[str, Any]) -> None:
        if self._info is None or not self._is_for_us(message, len(self._info.joints)):
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
        self._note_generation(answer.generation)
        if answer.drive is not self._last_drive:
            self._last_drive = answer.drive
            reason = "" if answer.reason is Code.ok else f": {answer.reason}"
            self._tell(EventKind.drive_changed, f"{answer.drive}{reason}")

    def _on_chunk(self, message: dict[str, Any]) -> None:
        horizon, dof = message["horizon"], message["dof"]
        if self._info is None or dof != len(self._info.joints) or not self._is_for_us(message, horizon * dof):
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
        self._note_generation(message["generation"])

    def _note_generation(self, generation: int) -> None:
        if self._info is None or generation == self._info.generation:
            return
        before, self._info = self._info.generation, dataclasses.replace(self._info, generation=generation)
        self._tell(EventKind.generation_changed, f"generation {before} -> {generation}")

    def _on_welcome(self, message: dict[str, Any]) -> None:
        info = robot_of(message)
        if info is None:
            return
        if self._connected and message["body"] == self._body:
            return  # the answer to a hello that was sent twice
        self._info = info
        self._robot_id, self._body = message["robot_id"], message["body"]
        self._max_message_bytes = message["max_message_bytes"]
        self._readings.close()
        self._withdraw_offer()
        self._readings = Readings(info.sensors, self._share_from)
        self._connected = False  # until it is known how large readings travel
        if self._share_from == NEVER_SHARE:
            self._by_bytes("it is switched off here")
        elif not self._readings.any_large:
            self._by_bytes("no reading is large enough")
        elif not message["shared_memory"]:
            self._by_bytes("the host does not read it")
        else:
            self._offer_memory()

    def _offer_memory(self) -> None:
        """Not connected before it is answered: what has no room in a message must wait for it."""
        try:
            ring = self._readings.make_ring()
        except CambiumError as error:
            return self._by_bytes(str(error))
        self._offered = ring
        self._offers += 1
        offer = {"process": os.getpid(), "descriptor": ring.descriptor, "bytes": ring.bytes, "token": list(ring.token)}
        self._next_hello = time.monotonic() + _MEMORY_TAKES
        # Lost: hello again, and all from the beginning.
        message = {"robot_id": self._robot_id, "sequence": self._offers, "offer": offer}
        self._dealer.send(write(schema.MEMORY, message))

    def _on_memory(self, message: dict[str, Any]) -> None:
        ring, answer = self._offered, message["answer"]
        if ring is None or self._info is None or answer is None or message["sequence"] != self._offers:
            return
        if answer["code"] != 0:
            self._withdraw_offer()
            return self._by_bytes(answer["text"])
        self._offered = None
        self._readings.share(ring)
        self._info = dataclasses.replace(self._info, shared_memory=True)
        self._connect("; large readings through shared memory")

    def _withdraw_offer(self) -> None:
        if self._offered is not None:
            self._offered.close()
            self._offered = None

    def _by_bytes(self, why: str) -> None:
        needed, most = self._readings.message_bytes, self._max_message_bytes
        if most == 0 or needed <= most:
            return self._connect(f"; large readings as bytes: {why}" if self._readings.any_large else "")
        self._next_hello = time.monotonic() + _MEMORY_TAKES
        self._refuse(
            Code.limit,
            f"an observation has {needed // 1024} KB, the host's max_message_kb is {most // 1024}, "
            f"and it cannot go through shared memory: {why}",
        )

    def _connect(self, how: str) -> None:
        self._episode_start = True
        self._silent_calls = 0
        self._last_refusal = ""
        self._connected = True
        if self._info is not None:
            self._tell(EventKind.connected, f"robot '{self._info.robot}', embodiment '{self._info.embodiment}'{how}")

    def _refuse(self, code: Code, text: str) -> None:
        self._refusal = self._last_refusal_code = code
        if text != self._last_refusal:
            self._last_refusal = text
            self._tell(EventKind.refused, text)

    def _on_notice(self, message: dict[str, Any]) -> None:
        code, text, body = Code.of(message["code"]), message["text"], message["body"]
        if code is Code.ok:  # a refusal that refuses nothing
            return
        if self._connected and body not in (0, self._body):
            self._connected = False
            self._refusal = Code.stale
            self._next_hello = 0.0
            self._tell(EventKind.body_changed, text)
        elif self._connected and code is Code.unavailable and body == 0:  # the host itself does not know us
            self._refusal = Code.unavailable
            self._lost(text)
        elif not self._connected or message["sequence"] == self._sequence:
            self._refuse(code, text)

    def _lost(self, why: str) -> None:
        if not self._connected:
            return
        self._connected = False
        self._silent_calls = 0
        self._next_hello = 0.0
        self._tell(EventKind.disconnected, why)

    def _tell(self, kind: EventKind, text: str) -> None:
        if self._on_event is not None:
            self._on_event(ClientEvent(kind, text))
