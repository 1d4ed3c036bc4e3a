"""A real trunk and a real host as processes, in a temporary folder of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any, Callable

from cambium import ActionReply, Admin, Client, ClientEvent, EventKind
from tests.tree import MODELS, built

PATIENCE = 20.0  # [s] of a loaded machine, before a test gives up

SOCKETS = {"trunk": "trunk", "host": "admin"}  # the last that each of them makes


class Processes:
    """Starts trunk and host from a configuration, stops what is left at the end."""

    def __init__(self, robots: str, stock: Path | str = MODELS / "stock.safetensors", control: str = "") -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="cambium-py-")
        self.folder = Path(self._temporary.name)
        self.control = control or f"ipc://{self.folder}/control"
        self.admin = f"ipc://{self.folder}/admin"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        (self.folder / "cambium.toml").write_text(
            f'[trunk]\nstock = "{stock}"\nendpoint = "ipc://{self.folder}/trunk"\n'
            f'[host]\ncontrol = "{self.control}"\nadmin = "{self.admin}"\nrun_dir = "{self.folder}"\n'
            f'realtime = "off"\n{robots}'
        )

    def start(self, what: str) -> None:
        log = open(self.folder / f"{what}.log", "ab")
        self._running[what] = subprocess.Popen(
            [built("CAMBIUM_PROGRAM"), what, "--config", "cambium.toml"],
            cwd=self.folder,
            env={**os.environ, "XDG_RUNTIME_DIR": str(self.folder)},
            stdout=log,
            stderr=log,
        )
        log.close()
        # Listening, or it says why not.
        until = time.monotonic() + PATIENCE
        while not (self.folder / SOCKETS[what]).exists():
            if self._running[what].poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"cambium {what} does not listen; {self.said()}")
            time.sleep(0.005)

    def pause(self, what: str) -> None:
        """Returns when none of its threads runs any more."""
        process = self._running[what]
        process.send_signal(signal.SIGSTOP)
        until = time.monotonic() + PATIENCE
        tasks = list(Path(f"/proc/{process.pid}/task").iterdir())
        while any((task / "stat").read_text().rpartition(")")[2].split()[0] != "T" for task in tasks):
            if time.monotonic() > until:
                raise RuntimeError(f"cambium {what} does not stop")
            time.sleep(0.001)

    def go_on(self, what: str) -> None:
        self._running[what].send_signal(signal.SIGCONT)

    def stop(self, what: str) -> None:
        process = self._running.pop(what)
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self) -> None:
        for what in list(self._running):
            self.stop(what)
        self._temporary.cleanup()

    def said(self) -> str:
        return "".join(f"{log.name}: {log.read_text()}" for log in self.folder.glob("*.log"))


def robot_toml(name: str, plugin: str, bundle: Path | str = "") -> str:
    learned = f'bundle = "{bundle}"\n' if bundle else ""
    # A loaded machine is not what is tested here, and a robot that nobody drives stands no probation.
    return (
        f'[[robot]]\nname = "{name}"\nplugin = "{plugin}"\n{learned}observation_timeout_ms = 300\n'
        "[robot.swap]\nprobation = 0\n[robot.gate]\nmax_observation_age_ms = 10000\n"
    )


class HostTest(unittest.TestCase):
    """One trunk and one host for all tests of a class; each test has clients of its own."""

    processes: Processes
    events: list[ClientEvent]

    @classmethod
    def robots(cls) -> str:
        return robot_toml("left", built("PLANAR3"), MODELS / "planar3.safetensors")

    @classmethod
    def make(cls) -> Processes:
        return Processes(cls.robots())

    @classmethod
    def setUpClass(cls) -> None:
        cls.processes = cls.make()
        cls.addClassCleanup(cls.processes.close)
        cls.processes.start("trunk")
        cls.processes.start("host")

    def setUp(self) -> None:
        self.events = []

    def client(self, robot: str = "left", **options: Any) -> Client:
        client = Client(self.processes.control, robot, on_event=self.events.append, **options)
        self.addCleanup(client.close)
        return client

    def admin(self) -> Admin:
        return Admin(self.processes.admin)

    def kinds(self) -> list[EventKind]:
        return [one.kind for one in self.events]

    def tick(self, client: Client, timeout: float = 5.0) -> ActionReply:
        observe(client)
        return client.act(timeout)

    def tick_until(self, client: Client, wanted: Callable[[ActionReply], bool]) -> ActionReply:
        until = time.monotonic() + PATIENCE
        while True:
            reply = self.tick(client, 0.2)
            if wanted(reply):
                return reply
            if time.monotonic() > until:
                self.fail(f"last answer {reply}, events {self.events}, processes said {self.processes.said()}")


def observe(client: Client, goal: tuple[float, float, float] = (0.45, 0.05, 0.1)) -> None:
    """The robot stands at home."""
    info = client.robot
    for sensor in info.sensors if info else ():
        if info and sensor.name == "joint_position":
            client.set(sensor.name, [joint.home for joint in info.joints])
        else:
            client.set(sensor.name, goal)
