"""The socket of a controller or a command line: one frame a message, nothing queued for who is not there."""

from __future__ import annotations

import ipaddress
import math
import struct
import time

import zmq

from cambium.keys import Keys
from cambium.status import CambiumError, Code

MAX_MESSAGE = 1 << 20
"""[bytes] A larger message ends its connection before it is read."""

_CURVE_BYTES = 64  # at most what CURVE adds to a message: RFC 26 says 33
_DIAL_AGAIN = 0.5  # [s] after a refusal: it costs the other side a look
_REFUSALS = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL


class Dealer:
    """Owns a socket and its context. One thread."""

    def __init__(self, endpoint: str, keys: Keys | None = None) -> None:
        self.trouble = ""  # half a sentence about the last refusal, since it last connected
        self._endpoint, self._keys = endpoint, keys
        _check_reach(endpoint, keys)
        self._dial_again = math.inf
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._monitor: zmq.Socket[bytes] | None = None
        try:
            self._socket.setsockopt(zmq.LINGER, 0)
            self._socket.setsockopt(zmq.SNDHWM, 64)
            self._socket.setsockopt(zmq.RCVHWM, 64)
            self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
            self._socket.setsockopt(zmq.RECONNECT_IVL, 10)
            self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 20)
            self._socket.setsockopt(zmq.IMMEDIATE, 1)  # what waits for a host is stale when it comes
            self._socket.setsockopt(zmq.IPV6, "[" in endpoint)
            if endpoint.startswith("tcp://"):
                self._watch()
                if keys is not None:
                    self._take(keys)
            self._socket.connect(endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise CambiumError(Code.bad_argument, f"cannot connect to endpoint '{endpoint}': {error}") from None
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)

    def close(self) -> None:
        """Never waits for what was not sent. Twice is once."""
        if self._monitor is not None:
            self._socket.disable_monitor()
            self._monitor.close(0)
            self._monitor = None
        self._socket.close(0)
        self._context.term()

    def why_nobody(self) -> str:
        """To whoever asked and got no answer."""
        if self.trouble:
            return f"the host at '{self._endpoint}' refuses: {self.trouble}"
        nobody = f"nobody answers at '{self._endpoint}'"
        return f"{nobody}, or not with the key that is expected" if self._keys else nobody

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
            self._tend()
            return None
        whole = not self._socket.getsockopt(zmq.RCVMORE)
        while self._socket.getsockopt(zmq.RCVMORE):
            self._socket.recv(zmq.NOBLOCK)
        return message if whole else b""

    def wait(self, until: float) -> None:
        """Until something came or `time.monotonic()` is `until`."""
        self._poller.poll(max(0, math.ceil((until - time.monotonic()) * 1000)))

    def _take(self, keys: Keys) -> None:
        self._socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
        self._socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public)
        self._socket.setsockopt(zmq.CURVE_SERVERKEY, keys.server)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE + _CURVE_BYTES)

    def _watch(self) -> None:
        """Of refusals only those after which ZeroMQ stops calling: it connects again after a connection that
        broke, but never after one that was refused."""
        self._monitor = self._socket.get_monitor_socket(_REFUSALS | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self._monitor.setsockopt(zmq.LINGER, 0)

    def _tend(self) -> None:
        """Calls again if it was refused and it is time to."""
        if self._monitor is None:
            return
        while self._monitor.poll(0):
            event: int = struct.unpack_from("=H", self._monitor.recv_multipart()[0])[0]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.trouble, self._dial_again = "", math.inf
                continue
            if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                self.trouble = "it does not let this key in as what it wants to be"
            elif self._keys is not None:
                self.trouble = "it speaks without keys"
            else:
                self.trouble = "it speaks only to those who have keys, and none were given"
            self._dial_again = time.monotonic() + _DIAL_AGAIN
        if time.monotonic() < self._dial_again:
            return
        self._dial_again = math.inf
        try:
            self._socket.disconnect(self._endpoint)
        except zmq.ZMQError:  # it knows that nobody is there
            pass
        self._socket.connect(self._endpoint)


def _check_reach(endpoint: str, keys: Keys | None) -> None:
    """What others can reach is never called without keys."""
    if keys is not None or not endpoint.startswith("tcp://"):
        return
    host = endpoint[len("tcp://") :].rpartition(":")[0].strip("[]")
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # no names: a resolver would decide what they mean
        loopback = False
    if not loopback:
        raise CambiumError(
            Code.bad_argument,
            f"endpoint '{endpoint}' is not on this machine, which needs keys: "
            "'cambium keys new NAME' makes them, key_file and host_key_file name them",
        )
