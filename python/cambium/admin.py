"""Looks after a running host: what the verbs of the program `cambium` ask, asked from Python."""

from __future__ import annotations

import json
import os
import time
from typing import Any, Mapping

from cambium._wire import schema
from cambium._wire.dealer import Dealer
from cambium._wire.reader import Malformed, read
from cambium._wire.writer import write
from cambium.endpoints import default_endpoint
from cambium.keys import Keys, Path
from cambium.status import CambiumError, Code
from cambium.version import WIRE_PROTOCOL

STATUS_TIMEOUT = 2.0  #: [s]
CHANGE_TIMEOUT = 600.0  #: [s] a swap with shadow and probation takes its time
_TRY_AGAIN = 0.01  # [s] nobody is connected yet


class AdminError(CambiumError):
    """The host did not do it, and the robot went on as it was; `report` is what the host said of it."""

    def __init__(self, code: Code, text: str, report: dict[str, Any]) -> None:
        super().__init__(code, text)
        self.report = report


class Report(dict[str, Any]):
    """The host's JSON object, as `cambium VERB --json` prints it; `text` is the sentence for people."""

    def __init__(self, values: Mapping[str, Any], text: str) -> None:
        super().__init__(values)
        self.text = text


class Admin:
    """Asks the admin endpoint of one host. Any thread; each call has a socket of its own.

    Calls return a Report. They raise AdminError if the host refuses or fails (the sentence says why), and
    CambiumError `unavailable` if nobody answers in time.
    Paths are made absolute here: the host must see the same files.
    """

    def __init__(self, endpoint: str = "", *, key_file: Path = "", host_key_file: Path = "") -> None:
        """Reads the keys; calls nobody yet.

        endpoint       of the host's command line; empty: where a host of this user listens
        key_file       own secret key for a tcp endpoint, as `cambium keys new` made it; empty: none
        host_key_file  public key of the host; empty: it has the same key
        """
        self.endpoint = endpoint or default_endpoint("admin")
        self._keys = Keys.open(key_file, host_key_file)

    def status(self, timeout: float = STATUS_TIMEOUT) -> Report:
        """Trunk and robots of the host: "trunk_id", "trunk", "robots", …"""
        return self._ask({"verb": "status"}, timeout)

    def swap(
        self,
        robot: str,
        *,
        plugin: Path | None = None,
        embodiment: str = "",
        stem_plugin: Path | None = None,
        head_plugin: Path | None = None,
        head: str = "",
        bundle: Path | None = None,
        shadow: int | None = None,
        probation: int | None = None,
        shadow_bound: float | None = None,
        fresh: bool = False,
        dry_run: bool = False,
        wait: bool = True,
        timeout: float = CHANGE_TIMEOUT,
    ) -> Report:
        """Swaps embodiment, head or weights of a robot while it moves. What is not given stays.

        shadow        [ticks] run beside the old generation first; 0: do not; None: as configured
        probation     [ticks] the first fault brings the old generation back; 0: do not; None: as configured
        shadow_bound  [1] largest difference let through, as a fraction of each joint's limit
        fresh         the trunk forgets the robot, even if its memory could go on
        dry_run       do everything but move the robot
        wait          False: be refused (busy) while another swap of the robot is under way
        """
        parts = _parts(plugin, embodiment, stem_plugin, head_plugin, head, bundle)
        trial = _trial(shadow, probation, shadow_bound, fresh, dry_run, wait)
        return self._ask({"verb": "swap", "robot": robot, **parts, **trial}, timeout)

    def reload(
        self,
        robot: str,
        *,
        shadow: int | None = None,
        probation: int | None = None,
        shadow_bound: float | None = None,
        fresh: bool = False,
        dry_run: bool = False,
        wait: bool = True,
        timeout: float = CHANGE_TIMEOUT,
    ) -> Report:
        """Reads a robot's libraries and bundle again, and swaps to what they hold now. Options as of `swap()`."""
        trial = _trial(shadow, probation, shadow_bound, fresh, dry_run, wait)
        return self._ask({"verb": "reload", "robot": robot, **trial}, timeout)

    def rollback(self, robot: str, *, wait: bool = True, timeout: float = CHANGE_TIMEOUT) -> Report:
        """Goes back to the generation before the last swap, as it stepped back then."""
        return self._ask({"verb": "rollback", "robot": robot, "no_wait": not wait}, timeout)

    def swaps(self, robot: str, timeout: float = STATUS_TIMEOUT) -> list[dict[str, Any]]:
        """The last swaps of a robot, with their reasons, the oldest first."""
        swaps = self._ask({"verb": "swaps", "robot": robot}, timeout).get("swaps")
        if not isinstance(swaps, list):
            raise CambiumError(Code.bad_data, "the host's answer lists no swaps")
        return swaps

    def add(
        self,
        robot: str,
        *,
        plugin: Path,
        embodiment: str = "",
        stem_plugin: Path | None = None,
        head_plugin: Path | None = None,
        head: str = "",
        bundle: Path | None = None,
        isolate: bool = False,
        session: str = "",
        timeout: float = CHANGE_TIMEOUT,
    ) -> Report:
        """Adds a robot to the host.

        isolate  stems and head run in a process of their own
        session  name by which the trunk remembers the robot; empty: its own
        """
        parts = _parts(plugin, embodiment, stem_plugin, head_plugin, head, bundle)
        return self._ask({"verb": "add", "robot": robot, **parts, "isolate": isolate, "session": session}, timeout)

    def remove(self, robot: str, timeout: float = CHANGE_TIMEOUT) -> Report:
        """Removes a robot from the host."""
        return self._ask({"verb": "remove", "robot": robot}, timeout)

    def swap_trunk(
        self,
        stock: Path,
        *,
        bundles: Mapping[str, Path] | None = None,
        probation: int | None = None,
        keep_old: float = 0.0,
        dry_run: bool = False,
        wait: bool = True,
        timeout: float = CHANGE_TIMEOUT,
    ) -> Report:
        """Loads another trunk beside the one that serves, and moves all robots to it at once.

        bundles   robot -> what was learned for it on the new trunk; without it, its file is read again
        keep_old  [s] how long the old trunk stays for a rollback
        """
        files = [f"{robot}={_absolute(file)}" for robot, file in (bundles or {}).items()]
        return self._ask(
            {
                "verb": "trunk-swap",
                "stock": _absolute(stock),
                "bundles": files,
                "probation": probation,
                "keep_old_s": keep_old,
                "dry_run": dry_run,
                "no_wait": not wait,
            },
            timeout,
        )

    def _ask(self, request: dict[str, Any], timeout: float) -> Report:
        reply = self._exchange({**request, "protocol": WIRE_PROTOCOL}, time.monotonic() + timeout)
        code, text = Code.of(reply["code"]), reply["text"]
        try:
            report = json.loads(reply["json"]) if reply["json"] else {}
        except (ValueError, RecursionError):
            report = None
        if not isinstance(report, dict):
            raise CambiumError(Code.bad_data, "the host's answer is not a JSON object")
        if code is not Code.ok:
            raise AdminError(code, text, report)
        return Report(report, text)

    def _exchange(self, request: dict[str, Any], deadline: float) -> dict[str, Any]:
        message = write(schema.ADMIN, {"request": request})
        # A socket for each call: the answer to one that was given up cannot come to the next.
        dealer = Dealer(self.endpoint, self._keys)
        try:
            sent = False
            while True:
                sent = sent or dealer.send(message)
                answer = dealer.receive()
                if answer is not None:
                    return _reply_of(answer)
                now = time.monotonic()
                if now >= deadline or dealer.trouble:
                    hint = "" if dealer.trouble else "; is `cambium host` running?"
                    raise CambiumError(Code.unavailable, dealer.why_nobody() + hint)
                dealer.wait(deadline if sent else min(deadline, now + _TRY_AGAIN))
        finally:
            dealer.close()


def _reply_of(message: bytes) -> dict[str, Any]:
    try:
        reply = read(message, schema.ADMIN)["reply"]
    except Malformed:
        reply = None
    if not isinstance(reply, dict):
        raise CambiumError(Code.bad_data, "the host's answer does not verify")
    return reply


def _parts(
    plugin: Path | None,
    embodiment: str,
    stem_plugin: Path | None,
    head_plugin: Path | None,
    head: str,
    bundle: Path | None,
) -> dict[str, Any]:
    return {
        "plugin": _absolute(plugin),
        "embodiment": embodiment,
        "stem_plugin": _absolute(stem_plugin),
        "head_plugin": _absolute(head_plugin),
        "head": head,
        "bundle": _absolute(bundle),
    }


def _trial(
    shadow: int | None, probation: int | None, shadow_bound: float | None, fresh: bool, dry_run: bool, wait: bool
) -> dict[str, Any]:
    return {
        "shadow": shadow,
        "probation": probation,
        "shadow_bound": shadow_bound,
        "fresh": fresh,
        "dry_run": dry_run,
        "no_wait": not wait,
    }


def _absolute(path: Path | None) -> str:
    return os.path.abspath(path) if path else ""
