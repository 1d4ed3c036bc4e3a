#!/usr/bin/env python3
"""Drives a robot through a listener with openpi's own client, as a robot script would.

Needs the packages openpi-client and typing_extensions (which the client forgets to ask for).
"""

import argparse
import os
import sys
import threading
import time

import numpy as np
from openpi_client import action_chunk_broker, websocket_client_policy


class Failed(Exception):
    pass


def say(sentence: str) -> None:
    print(f"openpi: {sentence}", flush=True)


def must(holds: bool, sentence: str) -> None:
    if not holds:
        raise Failed(sentence)


def connect(endpoint: str, token: str | None) -> websocket_client_policy.WebsocketClientPolicy:
    return websocket_client_policy.WebsocketClientPolicy(host=endpoint, port=None, api_key=token)


# What makes up one sensor of several keys: their metadata says the shape of all together.
PARTS = {"observation/joint_position": (7,), "observation/gripper_position": (1,)}


def observation(metadata: dict) -> dict:
    """What the robot expects, as its metadata says: ALOHA's keys nest, DROID's have slashes."""
    made: dict = {"prompt": "fold the towel"}
    for key, shape in metadata["observation"].items():
        shape = PARTS.get(key, shape)
        if len(shape) == 3:
            array = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
        else:
            array = np.zeros(shape)
        if key.startswith("images/"):
            made.setdefault("images", {})[key.removeprefix("images/")] = array
        else:
            made[key] = array
    return made


def check_reply(reply: dict, metadata: dict) -> None:
    rows = metadata["action_horizon"]
    for key, joints in metadata["actions"].items():
        actions = reply[key]
        must(isinstance(actions, np.ndarray), f"{key!r} is a {type(actions)}")
        must(actions.shape == (rows, len(joints)), f"{key!r} is {actions.shape}")
        must(actions.dtype.kind == "f" and bool(np.isfinite(actions).all()), f"{key!r} is not finite")
    must(reply["cambium"]["drive"] in metadata["drives"], f"nobody drives: {reply['cambium']}")


def infers(policy, metadata: dict) -> None:
    obs = observation(metadata)
    milliseconds = []
    for i in range(5):
        begin = time.monotonic()
        reply = policy.infer(obs)
        milliseconds.append((time.monotonic() - begin) * 1000)
        check_reply(reply, metadata)
        timing = reply["server_timing"]
        must(timing["infer_ms"] >= 0 and ("prev_total_ms" in timing) == (i > 0), f"timing {timing}")
    say(f"five observations are answered with {reply['cambium']['drive']!r}, the median after "
        f"{sorted(milliseconds)[2]:.1f} ms")


def errors(policy, metadata: dict) -> None:
    whole = observation(metadata)
    short = dict(whole)
    lost = next(key for key in short if key != "prompt")
    del short[lost]
    wrong = {**whole, next(k for k, v in whole.items() if isinstance(v, np.ndarray)): np.full(99, np.nan)}
    for what, obs in (("without " + repr(lost), short), ("with 99 NaN", wrong), ("of nothing", {})):
        try:
            policy.infer(obs)
        except RuntimeError as error:
            say(f"an observation {what} raises: {str(error).splitlines()[-1]}")
        else:
            raise Failed(f"an observation {what} is answered")
        check_reply(policy.infer(whole), metadata)
    say("after each error the next observation is answered")


def broker(policy, metadata: dict) -> None:
    rows = metadata["action_horizon"]
    chunks = action_chunk_broker.ActionChunkBroker(policy, action_horizon=rows)
    obs = observation(metadata)
    for step in range(2 * rows + 1):
        row = chunks.infer(obs)
        for key, joints in metadata["actions"].items():
            must(row[key].shape == (len(joints),), f"step {step}: {key!r} is {row[key].shape}")
    chunks.reset()
    chunks.infer(obs)
    say(f"ActionChunkBroker plays {2 * rows + 1} steps, and is reset")


def another_task(policy, metadata: dict) -> None:
    check_reply(policy.infer({**observation(metadata), "prompt": "put it back"}), metadata)
    obs = observation(metadata)
    del obs["prompt"]
    check_reply(policy.infer(obs), metadata)
    say("another prompt, and none, are answered")


def refused(endpoint: str, token: str | None, word: str, what: str) -> None:
    try:
        connect(endpoint, token)
    except Exception as error:  # noqa: BLE001 - of whichever kind this version of websockets raises
        must(word in str(error), f"{what} raises {error!r}")
        say(f"{what} raises: {error}")
    else:
        raise Failed(f"{what} comes in")


def rests(policy, metadata: dict) -> None:
    """A script that thinks for a while: its client answers pings by itself."""
    time.sleep(1)
    check_reply(policy.infer(observation(metadata)), metadata)
    say("a second of silence is no end")


def drive(endpoint: str, token: str | None) -> None:
    policy = connect(endpoint, token)
    metadata = policy.get_server_metadata()
    say(f"connected to {metadata['robot']!r}, a {metadata['embodiment']}: {sorted(metadata['observation'])}")
    infers(policy, metadata)
    errors(policy, metadata)
    broker(policy, metadata)
    another_task(policy, metadata)
    rests(policy, metadata)
    robot = f"{endpoint.rstrip('/')}/?robot={metadata['robot']}"
    refused(robot, token, "is driven by", "a second client of one robot")
    refused(f"{endpoint.rstrip('/')}/?robot=nobody", token, "no robot 'nobody'", "a robot that is not there")
    if token:
        refused(endpoint, None, "401", "a client without a key")
        refused(endpoint, token + "x", "401", "a client with another key")
    else:
        say("no --token: keys are not tried")
    check_reply(policy.infer(observation(metadata)), metadata)


def give_up() -> None:
    say("FAILED: not done within a minute")
    os._exit(1)  # the client waits for its answers without end


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--endpoint", required=True, help="ws://127.0.0.1:8000")
    parser.add_argument("--token", help="the listener's key")
    wanted = parser.parse_args()
    watchdog = threading.Timer(60, give_up)
    watchdog.daemon = True
    watchdog.start()
    try:
        drive(wanted.endpoint, wanted.token)
    except Failed as failed:
        say(f"FAILED: {failed}")
        return 1
    say("all is well")
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # The client cannot be closed, and older versions of websockets wait at the end for whoever does.
    os._exit(code)
