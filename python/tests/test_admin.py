"""Looking after a real host from Python: calls, refusals, and the command line."""

from __future__ import annotations

import io
import json
import unittest
from contextlib import redirect_stderr, redirect_stdout

import cambium
from cambium import AdminError, CambiumError, Code
from cambium.__main__ import main
from tests.host import PATIENCE, HostTest
from tests.tree import MODELS, built


class Asking(HostTest):
    def test_status_tells_of_trunk_and_robots(self) -> None:
        status = self.admin().status()
        self.assertEqual(status.text, "1 robots")
        self.assertEqual(len(status["trunk_id"]), 64)
        self.assertEqual([(one["name"], one["embodiment"]) for one in status["robots"]], [("left", "planar3")])

    def test_weights_are_swapped_rolled_back_and_told_of(self) -> None:
        admin = self.admin()
        before = admin.status()
        swapped = admin.swap("left", bundle=MODELS / "planar3_regrafted.safetensors", probation=0)
        self.assertEqual((swapped["ok"], swapped["kind"], swapped["end"]), (True, "weights", "swapped"))
        self.assertIn("robot 'left': weights swapped", swapped.text)
        back = admin.rollback("left")
        self.assertEqual((back["ok"], back["generation"]), (True, swapped["generation"] + 1))
        self.assertEqual(admin.reload("left", dry_run=True)["end"], "rehearsed")
        told = admin.swaps("left")
        self.assertIn(swapped["generation"], [one["generation"] for one in told])
        self.assertEqual(admin.status()["trunk_id"], before["trunk_id"])

    def test_a_refusal_is_an_exception_with_the_hosts_sentence_and_report(self) -> None:
        with self.assertRaises(AdminError) as caught:
            self.admin().swap("left", bundle=MODELS / "panda7.safetensors")
        self.assertIs(caught.exception.code, Code.incompatible)
        self.assertIn("made for embodiment 'panda7', the plugin's is 'planar3'", str(caught.exception))
        self.assertEqual(caught.exception.report["end"], "refused")
        with self.assertRaisesRegex(AdminError, "nobody") as nobody:
            self.admin().reload("nobody")
        self.assertIs(nobody.exception.code, Code.not_found)

    def test_robots_come_and_go(self) -> None:
        admin = self.admin()
        added = admin.add("right", plugin=built("SCARA4"), bundle=MODELS / "scara4.safetensors")
        self.assertEqual((added["ok"], added.text), (True, "robot 'right' added"))
        self.assertEqual([one["name"] for one in admin.status()["robots"]], ["left", "right"])
        self.assertEqual(admin.remove("right").text, "robot 'right' removed")
        with self.assertRaises(AdminError):
            admin.remove("right")

    def test_a_relative_path_is_one_of_the_asker(self) -> None:
        with self.assertRaisesRegex(AdminError, "/no_such_file.safetensors': cannot open"):
            self.admin().swap("left", bundle="no_such_file.safetensors")

    def test_a_trunk_that_is_not_one_is_refused(self) -> None:
        with self.assertRaisesRegex(AdminError, "planar3.safetensors"):
            self.admin().swap_trunk(MODELS / "planar3.safetensors", bundles={"left": MODELS / "planar3.safetensors"})

    def test_a_host_that_is_not_there_is_said_with_its_endpoint(self) -> None:
        endpoint = f"ipc://{self.processes.folder}/nobody"
        with self.assertRaisesRegex(CambiumError, "nobody answers at '.*/nobody'; is `cambium host` running") as caught:
            cambium.Admin(endpoint).status(timeout=0.05)
        self.assertIs(caught.exception.code, Code.unavailable)


class CommandLine(HostTest):
    def run_main(self, *arguments: str) -> tuple[int, str, str]:
        out, error = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(error):
            code = main([*arguments[:1], "--endpoint", self.processes.admin, *arguments[1:]])
        return code, out.getvalue(), error.getvalue()

    def test_status_is_a_table_or_json(self) -> None:
        client = self.client()
        client.wait(PATIENCE)
        self.tick_until(client, lambda reply: reply.drive is cambium.Drive.policy)
        code, table, _ = self.run_main("status")
        self.assertEqual(code, 0)
        self.assertRegex(
            table, r"trunk [0-9a-f]{16}  hpt on \w+, \d+ requests served\nrobot .*\nleft +planar3 +3 +\d+ policy"
        )
        code, text, _ = self.run_main("status", "--json")
        self.assertEqual((code, json.loads(text)["robots"][0]["name"]), (0, "left"))

    def test_swaps_print_the_hosts_sentence(self) -> None:
        code, text, _ = self.run_main("swap", "left", "--bundle", str(MODELS / "planar3.safetensors"), "--dry-run")
        self.assertEqual(code, 0)
        self.assertIn("robot 'left': rehearsed", text)

    def test_exit_codes_are_those_of_the_program(self) -> None:
        code, _, error = self.run_main("swap", "left", "--bundle", str(MODELS / "panda7.safetensors"))
        self.assertEqual((code, error[:14]), (1, "cambium swap: "))
        self.assertEqual(self.run_main("reload", "nobody")[0], 2)
        self.assertEqual(self.run_main("add", "x")[0], 2)
        with redirect_stderr(io.StringIO()):
            self.assertEqual(main(["swap", "left", "--endpoint", "tcp://192.0.2.1:5"]), 2)


if __name__ == "__main__":
    unittest.main()
