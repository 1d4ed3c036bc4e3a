"""Controllers in Python against a real host: what they get, what they are refused, and what they outlive."""

from __future__ import annotations

import subprocess
import threading
import time
import unittest

import numpy as np

import cambium
from cambium import CambiumError, Code, Drive, EventKind
from tests.host import PATIENCE, HostTest, observe, robot_toml
from tests.tree import MODELS, built


def by_policy(reply: cambium.ActionReply) -> bool:
    return bool(reply) and reply.drive is Drive.policy


class Driving(HostTest):
    def test_the_host_describes_the_robot(self) -> None:
        info = self.client().wait(PATIENCE)
        self.assertEqual((info.robot, info.embodiment, info.horizon), ("left", "planar3", 8))
        self.assertEqual([one.name for one in info.joints], ["shoulder", "elbow", "wrist"])
        self.assertEqual([(one.name, one.shape, one.unit) for one in info.sensors],
                         [("joint_position", (3,), "rad"), ("tool", (3,), "m"), ("goal", (3,), "m")])  # fmt: skip
        self.assertEqual((info.action, info.control_hz), (cambium.ActionKind.joint_velocity, 100.0))
        self.assertEqual((info.joints[0].position_min, info.joints[0].velocity_max), (-2.6, 3.0))

    def test_the_policy_drives_within_the_limits(self) -> None:
        client = self.client()
        info = client.wait(PATIENCE)
        reply = self.tick_until(client, by_policy)
        self.assertEqual((reply.values.shape, reply.values.dtype), ((3,), np.float32))
        self.assertEqual((reply.code, reply.reason, reply.generation), (Code.ok, Code.ok, info.generation))
        self.assertTrue(np.all(np.abs(reply.values) <= [one.velocity_max for one in info.joints]))
        texts = {one.kind: one.text for one in self.events}
        self.assertEqual(texts[EventKind.connected], "robot 'left', embodiment 'planar3'")
        self.assertEqual(texts[EventKind.drive_changed], "policy")

    def test_answers_are_those_that_the_c_client_gets(self) -> None:
        """The same observation, as the first of an episode: the same chunk, and the same first action, to the bit."""
        with self.client() as client:
            client.wait(PATIENCE)
            observe(client)
            chunk = client.infer(PATIENCE)
            client.start_episode()
            observe(client)
            action = client.act(PATIENCE)
        self.assertEqual((chunk.code, chunk.drive, chunk.values.shape), (Code.ok, Drive.policy, (8, 3)))
        self.assertGreater(np.abs(chunk.values).max(), 0)
        # The slot is free again once its controller was silent for a while.
        words: list[str] = []
        until = time.monotonic() + PATIENCE
        while not words and time.monotonic() < until:
            words = subprocess.run(
                [built("CLIENT_VALUES"), self.processes.control, "left"], capture_output=True, text=True
            ).stdout.split()
        self.assertEqual(words[0], str(int(action.drive)))
        theirs = np.array([float.fromhex(one) for one in words[1:]], np.float32)
        np.testing.assert_array_equal(theirs, np.concatenate([action.values, chunk.values.reshape(-1)]))

    def test_readings_may_be_flat_or_shaped_and_of_any_number(self) -> None:
        client = self.client()
        client.wait(PATIENCE)
        for values in ([1, 2, 3], np.ones(3), np.ones(3, np.float16), np.ones(3, np.uint8), (0.5,) * 3):
            self.assertIs(client.set("goal", values), Code.ok)
        self.assertIs(client.set(2, np.zeros(3)), Code.ok)

    def test_what_does_not_fit_is_said_with_its_name(self) -> None:
        client = self.client()
        client.wait(PATIENCE)
        for sensor, values, code, text in (
            ("gaol", [0, 0, 0], Code.not_found, "has no sensor 'gaol' (did you mean 'goal'?)"),
            (3, [0, 0, 0], Code.bad_argument, "no sensor 3, the robot has 3"),
            ("goal", [0, 0], Code.bad_argument, "sensor 'goal': values of shape (2,), expected (3,) [m]"),
            ("goal", [[0], [0], [0]], Code.bad_argument, "values of shape (3, 1), expected (3,)"),
            ("goal", ["a", "b", "c"], Code.bad_argument, "expected numbers (f32)"),
            ("goal", [1j, 0, 0], Code.bad_argument, "expected numbers (f32)"),
            ("goal", [[0, 1], [0]], Code.bad_argument, "sensor 'goal'"),
            ("goal", None, Code.bad_argument, "sensor 'goal'"),
        ):
            with self.assertRaises(CambiumError) as caught:
                client.set(sensor, values)  # type: ignore[arg-type]
            self.assertIs(caught.exception.code, code)
            self.assertIn(text, str(caught.exception))

    def test_a_demonstration_is_answered_once_it_has_passed_the_gate(self) -> None:
        client = self.client()
        info = client.wait(PATIENCE)
        limits = [one.velocity_max for one in info.joints]
        for command in ([0.0, 0.01, -0.01], [50.0, 0.0, 0.0]):
            observe(client)
            self.assertIs(client.demonstrate(command, label=[0.0, 0.0, 0.0]), Code.ok)
            reply = client.act(PATIENCE)
            self.assertEqual((reply.code, reply.drive, reply.reason), (Code.ok, Drive.demonstration, Code.ok))
            self.assertTrue(np.all(np.abs(reply.values) <= limits))
        self.assertEqual(reply.limited, 1)
        observe(client)
        self.assertIsNot(client.act(PATIENCE).drive, Drive.demonstration)  # a command is for one tick
        self.tick_until(client, by_policy)

    def test_a_demonstration_that_does_not_fit_is_said(self) -> None:
        client = self.client()
        self.assertIs(client.demonstrate([0, 0, 0]), Code.unavailable)
        client.wait(PATIENCE)
        for command, label, text in (
            ([0, 0], None, "action: values of shape \\(2,\\), robot 'left' has 3 joints"),
            ([0, 0, 0], [[0, 0, 0]], "label: values of shape"),
            ("fast", None, "action: expected 3 numbers"),
        ):
            with self.assertRaisesRegex(CambiumError, text) as caught:
                client.demonstrate(command, label)  # type: ignore[arg-type]
            self.assertIs(caught.exception.code, Code.bad_argument)
        observe(client)
        client.demonstrate([0, 0, 0])
        self.assertIs(client.infer(PATIENCE).code, Code.bad_argument)
        self.assertTrue(client.act(PATIENCE))

    def test_a_sensor_that_was_never_set_is_no_observation(self) -> None:
        client = self.client()
        client.wait(PATIENCE)
        client.set("goal", [0, 0, 0])
        reply = client.act(1.0)
        self.assertIs(reply.code, Code.bad_argument)
        self.assertFalse(reply)
        with self.assertRaisesRegex(CambiumError, "there is no answer: bad argument"):
            _ = reply.values

    def test_an_observation_that_is_not_finite_is_refused_with_a_sentence(self) -> None:
        client = self.client()
        client.wait(PATIENCE)
        observe(client)
        client.set("goal", [float("nan"), 0, 0])
        self.assertIs(client.infer(PATIENCE).code, Code.not_finite)
        self.assertEqual(self.kinds()[-1], EventKind.refused)
        self.assertTrue(self.events[-1].text)
        observe(client)
        self.assertTrue(client.infer(PATIENCE))

    def test_refusals_of_a_hello_come_with_the_hosts_sentence(self) -> None:
        with self.assertRaisesRegex(CambiumError, "no robot 'lfet' here") as caught:
            self.client("lfet").wait(1.0)
        self.assertIs(caught.exception.code, Code.not_found)
        with self.assertRaisesRegex(CambiumError, "planar3"):
            self.client(embodiment="panda7").wait(1.0)

    def test_a_robot_has_one_controller(self) -> None:
        first = self.client()
        first.wait(PATIENCE)
        self.assertTrue(self.tick(first))
        with self.assertRaisesRegex(CambiumError, "robot 'left' has a controller") as caught:
            self.client().wait(0.05)
        self.assertIs(caught.exception.code, Code.busy)

    def test_nobody_there_is_said_with_the_endpoint(self) -> None:
        client = cambium.Client(f"ipc://{self.processes.folder}/nobody", "left")
        self.addCleanup(client.close)
        with self.assertRaisesRegex(CambiumError, "nobody answers at 'ipc://.*/nobody'") as caught:
            client.wait(0.05)
        self.assertIs(caught.exception.code, Code.unavailable)
        self.assertIsNone(client.robot)
        self.assertIs(client.set("goal", [0, 0, 0]), Code.unavailable)
        self.assertIs(client.act(0.05).code, Code.unavailable)

    def test_what_makes_no_sense_is_refused_at_once(self) -> None:
        for endpoint, robot, text in (
            ("", "left", "no endpoint"),
            ("ipc:///tmp/x", "", "no robot"),
            ("carrier-pigeon://roof", "left", "cannot connect to endpoint 'carrier-pigeon://roof'"),
        ):
            with self.assertRaisesRegex(CambiumError, text):
                cambium.Client(endpoint, robot)

    def test_a_callback_that_fails_is_told_to_who_called(self) -> None:
        def fail(event: cambium.ClientEvent) -> None:
            if event.kind is EventKind.connected:
                raise RuntimeError(event.text)

        client = cambium.Client(self.processes.control, "left", on_event=fail)
        self.addCleanup(client.close)
        with self.assertRaisesRegex(RuntimeError, "robot 'left'"):
            client.wait(PATIENCE)
        self.tick_until(client, by_policy)  # and it costs the client nothing


class Swapping(HostTest):
    @classmethod
    def robots(cls) -> str:
        slots = ("steady", "another")
        return "".join(robot_toml(one, built("PLANAR3"), MODELS / "planar3.safetensors") for one in slots)

    def test_every_tick_is_answered_while_weights_are_swapped(self) -> None:
        client = self.client("steady")
        client.wait(PATIENCE)
        self.tick_until(client, by_policy)
        reports = []

        def swap() -> None:
            for file in ("planar3_regrafted", "planar3", "planar3_regrafted"):
                reports.append(self.admin().swap("steady", bundle=MODELS / f"{file}.safetensors"))

        swapping = threading.Thread(target=swap)
        swapping.start()
        generations = []
        while swapping.is_alive():
            reply = self.tick(client)
            self.assertTrue(reply, reply)
            generations.append(reply.generation)
        swapping.join()
        self.assertEqual([one["generation"] for one in reports], [2, 3, 4])
        self.assertEqual(generations, sorted(generations))
        self.assertEqual(self.tick(client).generation, 4)
        self.assertEqual(self.kinds().count(EventKind.generation_changed), 3)

    def test_another_body_ends_the_old_controller_and_meets_the_new_one(self) -> None:
        bound = self.client("another", embodiment="planar3")
        bound.wait(PATIENCE)
        self.tick_until(bound, by_policy)
        self.admin().swap("another", plugin=built("SCARA4"), bundle=MODELS / "scara4.safetensors")
        reply = self.tick_until(bound, lambda one: not one)
        self.assertIs(reply.code, Code.stale)
        self.assertIsNone(bound.robot)
        self.assertEqual(self.kinds()[-1], EventKind.body_changed)
        with self.assertRaisesRegex(CambiumError, "scara4") as caught:
            bound.wait(1.0)
        self.assertIs(caught.exception.code, Code.incompatible)
        bound.close()
        follower = self.client("another")
        self.assertEqual(len(follower.wait(PATIENCE).joints), 4)
        self.assertEqual(self.tick_until(follower, by_policy).values.shape, (4,))


class Outliving(HostTest):
    def test_a_late_answer_is_never_taken_for_the_next(self) -> None:
        client = self.client()
        client.wait(PATIENCE)

        def chunk_for(goal: tuple[float, float, float]) -> np.ndarray:
            until = time.monotonic() + PATIENCE
            while True:
                client.start_episode()
                observe(client, goal)
                reply = client.infer(PATIENCE)
                # stale: the host was still busy with the one before
                if reply or reply.code is not Code.stale or time.monotonic() > until:
                    return reply.values

        here, there = (0.45, 0.05, 0.1), (0.3, -0.3, 0.1)
        expected = chunk_for(there)
        self.assertGreater(np.abs(chunk_for(here) - expected).max(), 1e-3)
        self.processes.pause("host")
        self.addCleanup(self.processes.go_on, "host")
        client.start_episode()
        observe(client, here)
        self.assertIs(client.infer(0.05).code, Code.timeout)
        self.processes.go_on("host")
        np.testing.assert_array_equal(chunk_for(there), expected)

    def test_a_host_that_restarts_is_found_again(self) -> None:
        client = self.client()
        client.wait(PATIENCE)
        self.tick_until(client, by_policy)
        self.processes.stop("host")
        away = self.tick_until(client, lambda one: not one and client.robot is None)
        self.assertIn(away.code, (Code.timeout, Code.unavailable))
        self.assertIn(EventKind.disconnected, self.kinds())
        self.processes.start("host")
        self.tick_until(client, by_policy)
        self.assertEqual(self.kinds().count(EventKind.connected), 2)

    def test_without_a_trunk_lockstep_may_hold_instead(self) -> None:
        client = self.client(hold_chunks=True)
        client.wait(PATIENCE)
        observe(client)
        driven = client.infer(PATIENCE)
        self.assertEqual((driven.code, driven.drive, driven.reason), (Code.ok, Drive.policy, Code.ok))
        self.processes.stop("trunk")
        observe(client)
        held = client.infer(2.0)
        self.processes.start("trunk")
        self.assertEqual((held.code, held.drive, held.values.shape), (Code.ok, Drive.hold, (8, 3)))
        self.assertIsNot(held.reason, Code.ok)
        np.testing.assert_array_equal(held.values[-1], np.zeros(3, np.float32))

    def test_without_a_trunk_the_robot_holds_and_lockstep_is_told(self) -> None:
        client = self.client()
        client.wait(PATIENCE)
        self.tick_until(client, by_policy)
        self.processes.stop("trunk")
        reply = self.tick_until(client, lambda one: bool(one) and one.drive in (Drive.hold, Drive.damped_stop))
        self.assertIsNot(reply.reason, Code.ok)
        observe(client)
        self.assertFalse(client.infer(1.0))
        self.processes.start("trunk")
        self.tick_until(client, by_policy)


if __name__ == "__main__":
    unittest.main()
