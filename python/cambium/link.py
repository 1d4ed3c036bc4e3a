"""The connection to a host: hello and welcome, how large readings travel, refusals, and finding it again."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from typing import Any, Callable

import numpy as np
from numpy.typing import NDArray

from cambium._wire import schema
from cambium._wire.dealer import Dealer
from cambium._wire.reader import Malformed, identifier_of, read
from cambium._wire.welcome import robot_of
from cambium._wire.writer import write
from cambium.frame_ring import FrameRing
from cambium.readings import Readings
from cambium.robot import ClientEvent, EventKind, RobotInfo
from cambium.status import CambiumError, Code
from cambium.version import WIRE_PROTOCOL

_HELLO_EVERY = 0.1  # [s]
_TRY_AGAIN = 0.005  # [s] not connected yet
_MEMORY_TAKES = 1.0  # [s] to be opened and mapped by the host

Understand = Callable[[dict[str, Any]], None]


class Link:
    """Owns the socket. Reconnects by itself, within the calls of its client."""

    def __init__(
        self, dealer: Dealer, hello: dict[str, str], share_from: float, on_event: Callable[[ClientEvent], None] | None
    ) -> None:
        """hello  "client", "robot" and "embodiment" of the wire's Hello"""
        self.connected = False
        self.info: RobotInfo | None = None  # of the last Welcome
        self.readings = Readings((), share_from)
        self.refusal = Code.ok  # of the last observation

        self._dealer, self._on_event = dealer, on_event
        self._hello = write(schema.HELLO, {**hello, "protocol": WIRE_PROTOCOL})
        self._understood: dict[bytes | None, tuple[schema.Table, Understand]] = {}
        self.understand(schema.WELCOME, self._on_welcome)
        self.understand(schema.MEMORY, self._on_memory)
        self.understand(schema.NOTICE, self._on_notice)
        self._share_from = share_from
        self._robot_id = self._body = self._max_message_bytes = self._sequence = 0
        self._episode_start = True
        self._new_task = True  # until the host has answered: a connection that breaks must not lose it
        self._offered: FrameRing | None = None  # to the host, which has not answered yet
        self._offers = 0
        self._next_hello = 0.0
        self._last_refusal_code, self._last_refusal = Code.ok, ""

    def close(self) -> None:
        self.connected = False
        self.readings.close()
        self._withdraw_offer()
        self._dealer.close()

    def understand(self, kind: schema.Table, understand: Understand) -> None:
        """What is to be done with a message of this kind that has been read."""
        self._understood[kind.identifier] = (kind, understand)

    def wait(self, deadline: float) -> RobotInfo:
        """Until the host has accepted us. Raises its refusal, or that nobody answers."""
        self._last_refusal = ""
        if (self.connected or self.try_hello(deadline)) and self.info is not None:
            return self.info
        if self._last_refusal:
            raise CambiumError(self._last_refusal_code, self._last_refusal)
        raise CambiumError(Code.unavailable, self._dealer.why_nobody())

    def try_hello(self, deadline: float) -> bool:
        while True:
            while self.receive_one():
                pass
            if self.connected:
                return True
            now = time.monotonic()
            if now >= deadline:
                return False
            if now >= self._next_hello:
                self._next_hello = now + (_HELLO_EVERY if self._dealer.send(self._hello) else _TRY_AGAIN)
            self._dealer.wait(min(deadline, self._next_hello))

    def receive_one(self) -> bool:
        """Does what one message asks for, if one is there. What is not sound is as if it had not come."""
        message = self._dealer.receive()
        if message is None:
            return False
        kind, understand = self._understood.get(identifier_of(message), (None, None))
        if kind is not None and understand is not None:
            try:
                values = read(message, kind)
            except Malformed:
                return True
            understand(values)
        return True

    def sleep(self, until: float) -> None:
        """Until something came."""
        self._dealer.wait(until)

    def start_episode(self) -> None:
        self._episode_start = self._new_task = True

    def task_begun(self) -> None:
        """The host has answered an observation of the task."""
        self._new_task = False

    def send_observation(
        self,
        want: int,
        patience_ms: int,
        demonstrated: NDArray[np.float32] | None = None,
        label: NDArray[np.float32] | None = None,
    ) -> bool:
        self._sequence += 1
        observation = {
            "robot_id": self._robot_id,
            "body": self._body,
            "sequence": self._sequence,
            "time_ns": time.monotonic_ns(),
            "want": want,
            "episode_start": self._episode_start,
            "readings": self.readings.pack(self._sequence),
            "same_task": not self._new_task,
            "patience_ms": patience_ms,
            "demonstrated": demonstrated,
            "label": label,
        }
        sent = self._dealer.send(write(schema.OBSERVATION, observation))
        if sent:
            self._episode_start = False
        return sent

    def is_for_us(self, message: dict[str, Any], numbers: int) -> bool:
        """An answer to the last observation with so many numbers. A late one belongs to an observation that is
        gone: dropped, never mistaken for the next."""
        late = message["sequence"] != self._sequence or message["body"] != self._body
        return self.connected and not late and message["values"] is not None and message["values"].size == numbers

    def note_generation(self, generation: int) -> None:
        if self.info is None or generation == self.info.generation:
            return
        before, self.info = self.info.generation, dataclasses.replace(self.info, generation=generation)
        self.tell(EventKind.generation_changed, f"generation {before} -> {generation}")

    def lost(self, why: str) -> None:
        if not self.connected:
            return
        self.connected = False
        self._next_hello = 0.0
        self.tell(EventKind.disconnected, why)

    def tell(self, kind: EventKind, text: str) -> None:
        if self._on_event is not None:
            self._on_event(ClientEvent(kind, text))

    # What follows is the link's own.

    def _on_welcome(self, message: dict[str, Any]) -> None:
        info = robot_of(message)
        if info is None:
            return
        if self.connected and message["body"] == self._body:
            return  # the answer to a hello that was sent twice
        self.info = info
        self._robot_id, self._body = message["robot_id"], message["body"]
        self._max_message_bytes = message["max_message_bytes"]
        self.readings.close()
        self._withdraw_offer()
        self.readings = Readings(info.sensors, self._share_from)
        self.connected = False  # until it is known how large readings travel
        if self._share_from == math.inf:
            self._by_bytes("it is switched off here")
        elif not self.readings.any_large:
            self._by_bytes("no reading is large enough")
        elif not message["shared_memory"]:
            self._by_bytes("the host does not read it")
        else:
            self._offer_memory()

    def _offer_memory(self) -> None:
        """Not connected before it is answered: what has no room in a message must wait for it."""
        try:
            ring = self.readings.make_ring()
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
        if ring is None or self.info is None or answer is None or message["sequence"] != self._offers:
            return
        if answer["code"] != 0:
            self._withdraw_offer()
            return self._by_bytes(answer["text"])
        self._offered = None
        self.readings.share(ring)
        self.info = dataclasses.replace(self.info, shared_memory=True)
        self._connect("; large readings through shared memory")

    def _withdraw_offer(self) -> None:
        if self._offered is not None:
            self._offered.close()
            self._offered = None

    def _by_bytes(self, why: str) -> None:
        needed, most = self.readings.message_bytes, self._max_message_bytes
        if most == 0 or needed <= most:
            return self._connect(f"; large readings as bytes: {why}" if self.readings.any_large else "")
        self._next_hello = time.monotonic() + _MEMORY_TAKES
        self._refuse(
            Code.limit,
            f"an observation has {needed // 1024} KB, the host's max_message_kb is {most // 1024}, "
            f"and it cannot go through shared memory: {why}",
        )

    def _connect(self, how: str) -> None:
        self._episode_start = True
        self._last_refusal = ""
        self.connected = True
        if self.info is not None:
            self.tell(EventKind.connected, f"robot '{self.info.robot}', embodiment '{self.info.embodiment}'{how}")

    def _refuse(self, code: Code, text: str) -> None:
        self.refusal = self._last_refusal_code = code
        if text != self._last_refusal:
            self._last_refusal = text
            self.tell(EventKind.refused, text)

    def _on_notice(self, message: dict[str, Any]) -> None:
        code, text, body = Code.of(message["code"]), message["text"], message["body"]
        if code is Code.ok:  # a refusal that refuses nothing
            return
        if self.connected and body not in (0, self._body):
            self.connected = False
            self.refusal = Code.stale
            self._next_hello = 0.0
            self.tell(EventKind.body_changed, text)
        elif self.connected and code is Code.unavailable and body == 0:  # the host itself does not know us
            self.refusal = Code.unavailable
            self.lost(text)
        elif not self.connected or message["sequence"] == self._sequence:
            self._refuse(code, text)
