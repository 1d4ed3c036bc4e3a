""" "Did you mean": the nearest of the valid names, for errors."""

from __future__ import annotations

import difflib
from typing import Sequence


def did_you_mean(name: str, valid: Sequence[str]) -> str:
    """ " (did you mean 'x'?)", or " (valid: 'a', 'b')" if nothing is near."""
    near = difflib.get_close_matches(name, valid, 1)
    if near:
        return f" (did you mean '{near[0]}'?)"
    return f" (valid: {', '.join(repr(one) for one in valid)})" if valid else ""
