"""A client whose host sends nonsense: nothing but answers and CambiumErrors come of it."""

from __future__ import annotations

import random
import tempfile
import threading
import time
import unittest
from typing import Any, Callable

import numpy as np
import zmq

from cambium import CambiumError, Client, Code, Drive
from cambium._wire import schema
from cambium._wire.reader import identifier_of, read
from cambium._wire.writer import write

WELCOME: dict[str, Any] = {
    "robot_id": 1,
    "robot": "left",
    "embodiment": "toy",
    "generation": 1,
    "body": 1,
    "joints": [{"name": "a", "velocity_max": 1.0}, {"name": "b", "velocity_max": 1.0}],
    "sensors": [{"name": "joint_position", "unit": "rad", "frame": "joint", "shape": [2]}],
    "control_hz": 100.0,
    "horizon": 2,
}


def answer_to(observation: dict[str, Any], values: list[float]) -> dict[str, Any]:
    same = {key: observation[key] for key in ("robot_id", "sequence", "body")}
    return {**same, "generation": 1, "values": np.array(values, np.float32)}


class ScriptedHost:
    """Answers each message of a client as `script` says, from a thread of its own, until it is stopped."""

    def __init__(self, script: Callable[[bytes], list[list[bytes]]]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="cambium-py-")
        self.endpoint = f"ipc://{self._folder.name}/control"
        self._script, self._stop = script, threading.Event()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(self.endpoint)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._context.term()
        self._folder.cleanup()

    def _serve(self) -> None:
        while not self._stop.is_set():
            if self._socket.poll(10):
                peer, message = self._socket.recv_multipart()
                for frames in self._script(message):
                    self._socket.send_multipart([peer, *frames])
        self._socket.close(0)


class HostileHost(unittest.TestCase):
    def serve(self, script: Callable[[bytes], list[list[bytes]]]) -> Client:
        host = ScriptedHost(script)
        self.addCleanup(host.close)
        client = Client(host.endpoint, "left")
        self.addCleanup(client.close)
        return client

    def connected(self, answers: Callable[[dict[str, Any]], list[list[bytes]]]) -> Client:
        """To a host that welcomes soundly, and answers observations as is said."""

        def script(message: bytes) -> list[list[bytes]]:
            if identifier_of(message) == b"CBHL":
                return [[write(schema.WELCOME, WELCOME)]]
            return answers(read(message, schema.OBSERVATION))

        client = self.serve(script)
        client.wait(5.0)
        client.set("joint_position", [0, 0])
        return client

    def test_answers_that_are_not_for_this_observation_are_passed_over(self) -> None:
        def answers(observation: dict[str, Any]) -> list[list[bytes]]:
            right = answer_to(observation, [0.5, -0.5])
            wrong = [
                {**right, "sequence": right["sequence"] - 1},  # late
                {**right, "body": 7},  # of another body
                {**right, "values": np.ones(3, np.float32)},  # of another robot
                {**right, "values": None},
            ]
            two = [write(schema.ACTION, {**right, "drive": 2}), b"and a second frame"]
            return [
                *([write(schema.ACTION, one)] for one in wrong),
                two,
                [b""],
                [b"CBAC"],
                [write(schema.ACTION, right)],
            ]

        client = self.connected(answers)
        for _ in range(3):
            reply = client.act(5.0)
            self.assertEqual((reply.code, reply.drive, reply.values.tolist()), (Code.ok, Drive.policy, [0.5, -0.5]))

    def test_chunks_whose_numbers_do_not_fit_are_passed_over(self) -> None:
        def answers(observation: dict[str, Any]) -> list[list[bytes]]:
            right = {**answer_to(observation, [1, 2, 3, 4]), "horizon": 2, "dof": 2}
            wrong = [{"horizon": 3}, {"dof": 4, "horizon": 1}, {"horizon": 2**31, "dof": 2**31}, {"horizon": 0}]
            return [*([write(schema.CHUNK, {**right, **one})] for one in wrong), [write(schema.CHUNK, right)]]

        self.assertEqual(self.connected(answers).infer(5.0).values.tolist(), [[1, 2], [3, 4]])

    def test_words_of_a_later_version_are_unknown_not_errors(self) -> None:
        def answers(observation: dict[str, Any]) -> list[list[bytes]]:
            return [[write(schema.ACTION, {**answer_to(observation, [0, 0]), "drive": 77, "reason": 999})]]

        reply = self.connected(answers).act(5.0)
        self.assertEqual((reply.drive, reply.reason), (Drive.unknown, Code.failed))

    def test_a_refusal_that_comes_for_an_older_observation_is_not_of_this_one(self) -> None:
        def answers(observation: dict[str, Any]) -> list[list[bytes]]:
            notice = {"code": 3, "text": "busy", "sequence": observation["sequence"] - 1, "body": 1}
            return [[write(schema.NOTICE, notice)], [write(schema.ACTION, answer_to(observation, [0, 0]))]]

        self.assertIs(self.connected(answers).act(5.0).code, Code.ok)

    def test_broken_messages_break_nothing(self) -> None:
        """Sound messages with bytes changed at random, for two seconds."""
        chance = random.Random(11)
        kinds = (schema.ACTION, schema.CHUNK, schema.NOTICE, schema.MEMORY, schema.WELCOME)

        def broken(message: bytes) -> bytes:
            changed = bytearray(message)
            for _ in range(chance.choice([0, 0, 1, 3])):
                at = chance.randrange(len(changed))
                changed[at] = chance.choice([0, 1, 2, 4, 0x7F, 0x80, 0xFF, chance.randrange(256)])
            return bytes(changed)

        def script(message: bytes) -> list[list[bytes]]:
            if identifier_of(message) == b"CBHL":
                return [[broken(write(schema.WELCOME, WELCOME))]]
            if identifier_of(message) != b"CBOB":
                return [[broken(message)]]
            observation = read(message, schema.OBSERVATION)
            right = {**WELCOME, **answer_to(observation, [0, 0]), "horizon": 1, "dof": 2, "code": 3, "text": "no"}
            asked = schema.ACTION if observation["want"] == schema.WANT_ACTION else schema.CHUNK
            kind = chance.choice([asked, asked, asked, *kinds])
            return [[broken(write(kind, {name: right[name] for name in kind.fields if name in right}))]]

        client = self.serve(script)
        answered = calls = 0
        until = time.monotonic() + 2.0
        while time.monotonic() < until:
            info = client.robot
            for sensor in info.sensors if info else ():
                try:
                    client.set(sensor.name, np.zeros(min(sensor.size, 2)))
                except CambiumError as error:  # the welcome was the broken message
                    self.assertIn(error.code, (Code.bad_argument, Code.not_found))
            answered += bool(client.act(0.005) if calls % 2 else client.infer(0.005))
            calls += 1
        self.assertGreater(answered, 10)
        self.assertGreater(calls - answered, 10)


if __name__ == "__main__":
    unittest.main()
