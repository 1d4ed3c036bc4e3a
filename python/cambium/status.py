"""What went wrong: the codes of interfaces/cambium/status.hpp, and the exception that carries one."""

from __future__ import annotations

import enum


class Code(enum.IntEnum):
    """What went wrong, in one word. The numbers travel on the wire."""

    ok = 0
    stale = 1  #: too old or of an earlier generation: a value, not a fault
    timeout = 2  #: did not come in time
    busy = 3  #: refused now, try again: a bounded queue is full
    bad_argument = 4  #: the caller asked for something that makes no sense
    bad_data = 5  #: bytes from outside that do not verify
    not_found = 6  #: no such name, file or symbol
    incompatible = 7  #: both sides are sound, but do not fit each other
    limit = 8  #: a physical limit was or would be violated
    not_finite = 9  #: NaN or infinity
    unavailable = 10  #: the other side is not there (yet)
    failed = 11  #: the operation was tried and failed

    def __str__(self) -> str:
        return self.name.replace("_", " ")

    @classmethod
    def of(cls, number: int) -> Code:
        """The code of a number from the wire; one that this version does not know is `failed`."""
        return cls(number) if number in cls._value2member_map_ else cls.failed


class CambiumError(Exception):
    """A refusal, in one sentence: `code` for programs, the text for people.

    Raised where a program is set up (`wait()`, `Admin`, conversion) or is wrong (a sensor that the
    robot does not have, a shape that does not fit). What a host does while a robot moves is never
    raised: it is the `code` of an answer.
    """

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code
