"""Keys of tcp endpoints, as `cambium keys new NAME` makes them: NAME.key is secret, NAME.pub is not."""

from __future__ import annotations

import dataclasses
import os
import re
import stat
import struct
from typing import Union

import zmq
from zmq.utils import z85

from cambium.status import CambiumError, Code

Path = Union[str, "os.PathLike[str]"]

_LARGEST = 4096  # [bytes] of a key file
_NAME = re.compile(r"(?!\.)[A-Za-z0-9_.-]{1,64}")
_MADE_BY = "'cambium keys new NAME' makes one"


@dataclasses.dataclass(frozen=True, repr=False)
class Keys:
    """What a connection proves itself with, and whom it believes. Has no text, so that none lands in a log."""

    secret: bytes  # 40 digits of Z85, as the two below
    public: bytes
    server: bytes

    @classmethod
    def open(cls, key_file: Path, host_key_file: Path) -> Keys | None:
        """None without a key of one's own. Errors name the file, and never what stands in it."""
        if not key_file:
            if host_key_file:
                raise CambiumError(
                    Code.bad_argument,
                    f"'{os.fspath(host_key_file)}' is of no use without a key of one's own; {_MADE_BY}",
                )
            return None
        if not zmq.has("curve"):
            raise CambiumError(Code.unavailable, "this ZeroMQ was built without CURVE, which keys need")
        secret = _read_secret(key_file)
        public = zmq.curve_public(secret)
        return cls(secret, public, _read_public(host_key_file) if host_key_file else public)


def _read_secret(file: Path) -> bytes:
    words, others_read = _words(file)
    if not (len(words) == 3 and words[1] == "secret" and _NAME.fullmatch(words[0])):
        mistaken = len(words) == 2
        raise _refuse(
            file,
            Code.bad_data,
            "is a public key, expected a secret one: NAME.key"
            if mistaken
            else "is no secret key, expected one line 'NAME secret KEY'",
        )
    if others_read:
        raise _refuse(
            file,
            Code.bad_argument,
            "others can read this secret, or it belongs to somebody else; "
            "chmod 600 it, or make a new one if they may have",
        )
    if not _is_key(words[2]):
        raise _refuse(file, Code.bad_data, "its key is not 40 digits of Z85")
    return words[2].encode()


def _read_public(file: Path) -> bytes:
    words, _ = _words(file)
    if len(words) == 3 and words[1] == "secret":
        raise _refuse(
            file,
            Code.bad_data,
            "is a secret key, expected a public one: NAME.pub; a secret never leaves the machine that it was made on",
        )
    if not (len(words) == 2 and _NAME.fullmatch(words[0]) and _is_key(words[1])):
        raise _refuse(file, Code.bad_data, "is no public key, expected one line 'NAME KEY', the key 40 digits of Z85")
    return words[1].encode()


def _words(file: Path) -> tuple[list[str], bool]:
    """Of the one line that is neither empty nor a comment (none if there are several), and whether others read it."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise _refuse(
            file,
            Code.not_found if missing else Code.failed,
            f"{error.strerror}{'; ' + _MADE_BY if missing else ''}",
        ) from None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise _refuse(file, Code.bad_argument, "is not a file")
        text = os.read(descriptor, _LARGEST)
    finally:
        os.close(descriptor)
    if len(text) == _LARGEST:
        raise _refuse(file, Code.bad_data, "is larger than any key file")
    others_read = bool(about.st_mode & 0o077) or about.st_uid not in (os.geteuid(), 0)
    lines = [line.split() for line in text.decode("ascii", errors="replace").split("\n")]
    said = [words for words in lines if words and not words[0].startswith("#")]
    return (said[0] if len(said) == 1 else []), others_read


def _is_key(text: str) -> bool:
    try:
        return len(text) == 40 and len(z85.decode(text.encode())) == 32  # type: ignore[no-untyped-call]
    except (KeyError, ValueError, struct.error):  # no digit; not ASCII; more than 32 bits
        return False


def _refuse(file: Path, code: Code, why: str) -> CambiumError:
    return CambiumError(code, f"key file '{os.fspath(file)}': {why}")
