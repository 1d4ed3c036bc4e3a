"""The socket of a controller or a command line: one frame a message, nothing queued for who is not there."""

from __future__ import annotations

import math
import time

import zmq

from cambium.status import CambiumError, Code

MAX_MESSAGE = 1 << 20
"""[bytes] A larger message ends its connection before it is read."""


class Dealer:
    """Owns a socket and its context. One thread."""

    def __init__(self, endpoint: str) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        try:
            self._socket.setsockopt(zmq.LINGER, 0)
            self._socket.setsockopt(zmq.SNDHWM, 64)
            self._socket.setsockopt(zmq.RCVHWM, 64)
            self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
            self._socket.setsockopt(zmq.RECONNECT_IVL, 10)
            self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 20)
            self._socket.setsockopt(zmq.IMMEDIATE, 1)  # what waits for a host is stale when it comes
            self._socket.setsockopt(zmq.IPV6, "[" in endpoint)
            self._socket.connect(endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise CambiumError(Code.bad_argument, f"cannot connect to endpoint '{endpoint}': {error}") from None
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)

    def close(self) -> None:
        """Never waits for what was not sent. Twice is once."""
        self._socket.close(0)
        self._context.term()

    def send(self, message: bytes) -> bool:
        """False if nobody is connected, or does not keep up."""
        try:
            self._socket.send(message, zmq.NOBLOCK)
            return True
        except zmq.Again:
            return False

    def receive(self) -> bytes | None:
        """A message that is there already, if there is one; what is not one frame is empty."""
        try:
            message: bytes = self._socket.recv(zmq.NOBLOCK)
        except zmq.Again:
            return None
        whole = not self._socket.getsockopt(zmq.RCVMORE)
        while self._socket.getsockopt(zmq.RCVMORE):
            self._socket.recv(zmq.NOBLOCK)
        return message if whole else b""

    def wait(self, until: float) -> None:
        """Until something came or `time.monotonic()` is `until`."""
        self._poller.poll(max(0, math.ceil((until - time.monotonic()) * 1000)))
