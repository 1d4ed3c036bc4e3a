"""A peer behind the lines that `cambium bench forward` speaks, in a process of its own.

serve.py PEER PRECISION SIZE ROBOTS TOKENS THREADS STOCK
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TextIO

import numpy as np

import peer
from problem import SIZES, Problem


def _answers_alone() -> TextIO:
    """Standard output for answers only: what libraries print goes where errors go."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def _answer(engine: peer.Peer, line: str) -> dict[str, object]:
    command, _, argument = line.partition(" ")
    if command == "run":
        return {"ms": [1e3 * seconds for seconds in engine.run(int(argument))]}
    if command == "input":
        engine.set_input(np.fromfile(argument, np.float32).reshape(engine.problem.shape))
    elif command == "output":
        np.ascontiguousarray(engine.output(), np.float32).tofile(argument)
    else:
        return {"error": f"no command '{command}'"}
    return {"done": command}


def main(arguments: list[str]) -> int:
    name, precision, size, robots, tokens, threads, stock = arguments
    problem = Problem(SIZES[size], int(robots), int(tokens), int(threads), Path(stock))
    answers = _answers_alone()

    def say(answer: dict[str, object]) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    try:
        engine = peer.load(name, problem, precision)
    except (peer.Unavailable, ImportError) as why:
        say({"event": "error", "code": "unavailable", "text": str(why)})
        return 3
    except Exception as why:  # whatever an engine raises is a word to its reader
        say({"event": "error", "code": "failed", "text": f"{type(why).__name__}: {why}"})
        raise
    say({"event": "ready", "precision": precision})
    for line in sys.stdin:
        if line.strip() == "quit":
            break
        try:
            say(_answer(engine, line.rstrip("\n")))
        except Exception as why:
            say({"error": f"{type(why).__name__}: {why}"})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
