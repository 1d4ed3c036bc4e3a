"""tcp with keys: who is let in, who is not and is told why, and key files that are refused."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

import cambium
from cambium import CambiumError, Code
from cambium.keys import Keys
from tests.host import PATIENCE, HostTest, Processes, robot_toml
from tests.tree import MODELS, built


def keys(folder: Path, *arguments: str) -> str:
    done = subprocess.run([built("CAMBIUM_PROGRAM"), "keys", *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout


def free_port() -> int:
    """Asked of the system; somebody else may be quicker, so start() of the host says if it was."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


class Encrypted(HostTest):
    @classmethod
    def make(cls) -> Processes:
        cls.endpoint = f"tcp://127.0.0.1:{free_port()}"
        made = Processes(
            robot_toml("left", built("PLANAR3"), MODELS / "planar3.safetensors")
            + '[security]\nkey = "host.key"\nallow = "allowed.keys"\n',
            control=cls.endpoint,
        )
        for name in ("host", "arm", "stranger"):
            keys(made.folder, "new", name)
        keys(made.folder, "allow", "arm.pub", "--as", "controller", "--list", "allowed.keys")
        return made

    def key(self, name: str) -> Path:
        return self.processes.folder / name

    def test_an_allowed_key_drives(self) -> None:
        client = self.client(key_file=self.key("arm.key"), host_key_file=self.key("host.pub"))
        client.wait(PATIENCE)
        self.assertTrue(self.tick_until(client, lambda reply: reply.drive is cambium.Drive.policy))

    def test_a_stranger_is_told_that_he_is_one(self) -> None:
        client = self.client(key_file=self.key("stranger.key"), host_key_file=self.key("host.pub"))
        with self.assertRaisesRegex(CambiumError, "refuses: it does not let this key in") as caught:
            client.wait(2.0)
        self.assertIs(caught.exception.code, Code.unavailable)

    def test_a_key_that_is_allowed_later_is_let_in_without_a_new_client(self) -> None:
        keys(self.processes.folder, "new", "late")
        client = self.client(key_file=self.key("late.key"), host_key_file=self.key("host.pub"))
        with self.assertRaises(CambiumError):
            client.wait(1.0)
        keys(self.processes.folder, "allow", "late.pub", "--as", "controller", "--list", "allowed.keys")
        self.assertEqual(client.wait(PATIENCE).robot, "left")

    def test_who_has_no_key_is_told_to_get_one(self) -> None:
        with self.assertRaisesRegex(CambiumError, "speaks only to those who have keys, and none were given"):
            self.client().wait(2.0)

    def test_a_host_with_another_key_is_not_spoken_to(self) -> None:
        client = self.client(key_file=self.key("arm.key"), host_key_file=self.key("stranger.pub"))
        with self.assertRaisesRegex(CambiumError, "or not with the key that is expected|refuses"):
            client.wait(1.0)


class KeyFiles(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="cambium-py-")
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        keys(self.folder, "new", "arm")

    def test_the_programs_files_are_read(self) -> None:
        own = Keys.open(self.folder / "arm.key", "")
        assert own is not None
        self.assertIn(own.public.decode(), keys(self.folder, "show", "arm.key"))
        self.assertEqual(own.server, own.public)

    def test_secrets_are_not_shown(self) -> None:
        own = Keys.open(self.folder / "arm.key", "")
        assert own is not None
        self.assertNotIn(own.secret.decode(), repr(own) + str(own))

    def test_what_is_wrong_with_a_file_is_said_without_what_stands_in_it(self) -> None:
        secret = (self.folder / "arm.key").read_text()
        digits = secret.split()[-1]
        (self.folder / "open.key").write_text(secret)
        os.chmod(self.folder / "open.key", 0o644)
        for name, text in (("short.key", f"arm secret {digits[:-1]}"), ("high.key", f"arm secret {'#' * 40}"),
                           ("twice.key", secret + secret), ("large.key", "#" * 5000), ("empty.key", "")):  # fmt: skip
            (self.folder / name).write_text(text)
            os.chmod(self.folder / name, 0o600)
        for own, host, text in (
            ("nothing.key", "", "No such file or directory; 'cambium keys new NAME' makes one"),
            ("arm.pub", "", "is a public key, expected a secret one"),
            ("arm.key", "arm.key", "is a secret key, expected a public one"),
            ("open.key", "", "others can read this secret"),
            ("short.key", "", "its key is not 40 digits of Z85"),
            ("high.key", "", "its key is not 40 digits of Z85"),
            ("twice.key", "", "is no secret key, expected one line"),
            ("large.key", "", "is larger than any key file"),
            ("empty.key", "", "is no secret key"),
            (".", "", "is not a file"),
            ("", "arm.pub", "is of no use without a key of one's own"),
        ):
            with self.assertRaises(CambiumError) as caught:
                Keys.open(own and self.folder / own, host and self.folder / host)
            self.assertIn(text, str(caught.exception))
            self.assertNotIn(digits[:20], str(caught.exception))

    def test_beyond_this_machine_nobody_is_called_without_keys(self) -> None:
        for endpoint in ("tcp://192.0.2.1:7", "tcp://robot.example:7", "tcp://[2001:db8::1]:7"):
            with self.assertRaisesRegex(CambiumError, "is not on this machine, which needs keys"):
                cambium.Client(endpoint, "left")
        for endpoint in ("tcp://127.0.0.1:7", "tcp://[::1]:7", "tcp://localhost:7", "tcp://127.9.9.9:7"):
            cambium.Client(endpoint, "left").close()


if __name__ == "__main__":
    unittest.main()
