#!/usr/bin/env python3
"""Clients of Isaac GR00T's generations N1.5, N1.6, N1.7 and of its DROID example, against a listener.

    groot_peer.py --endpoint tcp://127.0.0.1:5555 [--token TOKEN]
        [--state single_arm=5 --state gripper=1] [--camera front=32x48 --camera wrist=32x48]

Needs pyzmq, msgpack and numpy. What the listener's robot takes is told by --state NAME=NUMBERS and
--camera NAME=ROWSxCOLUMNS. Says in a sentence each what was tried; the exit code is 1 if anything
was not as the generation's own client expects it.
"""

import argparse
import io
import json
import sys

import msgpack
import numpy as np
import zmq

TASK = "annotation.human.task_description"
PATIENCE_MS = 15_000


class Refused(RuntimeError):
    """The server answered {"error": ...}."""


def npy_pack(value):
    """Arrays of N1.5, N1.6 and DROID: a whole .npy file."""
    if isinstance(value, np.ndarray):
        file = io.BytesIO()
        np.save(file, value, allow_pickle=False)
        return {"__ndarray_class__": True, "as_npy": file.getvalue()}
    raise TypeError(f"{type(value).__name__} cannot be sent")


def npy_unpack(value):
    if "__ndarray_class__" in value:
        return np.load(io.BytesIO(value["as_npy"]), allow_pickle=False)
    return value


def nd_pack(value):
    """Arrays and numpy's scalars of N1.7, as the package msgpack-numpy writes them."""
    if isinstance(value, np.ndarray):
        return {b"nd": True, b"type": value.dtype.str, b"kind": b"", b"shape": value.shape,
                b"data": value.tobytes()}
    if isinstance(value, np.generic):
        return {b"nd": False, b"type": value.dtype.str, b"data": value.tobytes()}
    raise TypeError(f"{type(value).__name__} cannot be sent")


def nd_unpack(value):
    if value.get(b"nd") is True:
        return np.frombuffer(value[b"data"], np.dtype(value[b"type"])).reshape(value[b"shape"])
    return npy_unpack(value)


class Client:
    """A REQ socket and one of the encodings; what is common to all generations."""

    def __init__(self, endpoint, token=None, pack=npy_pack, unpack=npy_unpack):
        self.endpoint, self.token, self.pack, self.unpack = endpoint, token, pack, unpack
        self.context = zmq.Context.instance()
        self.connect()

    def connect(self):
        self.socket = self.context.socket(zmq.REQ)
        self.socket.setsockopt(zmq.RCVTIMEO, PATIENCE_MS)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(self.endpoint)

    def call(self, endpoint, *data):
        request = {"endpoint": endpoint}
        if data:
            request["data"] = data[0]
        if self.token:
            request["api_token"] = self.token
        self.socket.send(msgpack.packb(request, default=self.pack))
        reply = msgpack.unpackb(self.socket.recv(), object_hook=self.unpack)
        if "error" in reply:  # of nil this would raise, as it does in N1.5's client
            raise Refused(reply["error"])
        return reply

    def close(self):
        self.socket.close()


class Checks:
    def __init__(self):
        self.failed = 0

    def expect(self, holds, sentence):
        print(("ok      " if holds else "FAILED  ") + sentence)
        self.failed += not holds

    def refused(self, call, sentence, words=""):
        try:
            answer = call()
        except Refused as error:
            self.expect(words in str(error), f"{sentence}: {error}")
        else:
            self.expect(False, f"{sentence}, but it was answered {answer!r}")


def observation(robot, *lead, dtype=np.float32):
    """Cameras and states with the axes `lead` in front: (batch, time) or (time,)."""
    rng = np.random.default_rng(7)
    video = {name: rng.integers(0, 256, (*lead, *size, 3), np.uint8)
             for name, size in robot.camera.items()}
    state = {name: np.zeros((*lead, size), dtype) for name, size in robot.state.items()}
    return video, state


def flat(video, state, task):
    return {**{f"video.{name}": array for name, array in video.items()},
            **{f"state.{name}": array for name, array in state.items()}, TASK: task}


def are_rows(actions, batched, prefix=""):
    """One array of float32 for each key, all of as many rows."""
    rows = {array.shape[-2] for array in actions.values()}
    return (len(actions) > 0 and len(rows) == 1
            and all(array.ndim == 2 + batched and array.dtype == np.float32
                    and np.isfinite(array).all() for array in actions.values())
            and all(key.startswith(prefix) for key in actions))


def n15(robot, checks):
    client = Client(robot.endpoint, robot.token)
    checks.expect(client.call("ping") == {"status": "ok", "message": "Server is running"},
                  "N1.5: ping is answered")
    config = client.call("get_modality_config")
    as_json = config["state"]["as_json"]
    if isinstance(as_json, str):
        keys = json.loads(as_json)["modality_keys"]
        checks.expect(keys == [f"state.{name}" for name in robot.state],
                      f"N1.5: the modality config names the states {keys}")
    else:
        print("skipped N1.5: the modality config, which this listener gives as maps (modality)")
    actions = client.call("get_action", flat(*observation(robot, 1, dtype=np.float64), ["stay"]))
    checks.expect(are_rows(actions, False, "action."),
                  "N1.5: a flat observation without a batch is answered (rows, columns): "
                  + ", ".join(f"{key} {array.shape}" for key, array in actions.items()))
    checks.refused(lambda: client.call("kill"), "N1.5: kill is refused", "kill")
    checks.refused(lambda: client.call("get_acton", {}),
                   "N1.5: an unknown endpoint is refused with the nearest", "get_action")
    checks.expect("ok" == client.call("ping")["status"], "N1.5: the same socket goes on")
    client.close()


def newer(name, robot, checks, pack, unpack, marker, field):
    """N1.6, N1.7 and DROID differ in their arrays and in what they read of a modality config."""
    client = Client(robot.endpoint, robot.token, pack, unpack)
    config = client.call("get_modality_config")
    if isinstance(config["state"]["as_json"], str):
        print(f"skipped {name}: the modality config, which this listener gives as text (modality)")
    else:
        known = {kind: one[field] for kind, one in config.items() if one.get(marker)}
        checks.expect(known.keys() >= {"state", "action", "language"}
                      and known["state"]["modality_keys"] == list(robot.state)
                      and known.get("video", {}).get("modality_keys", []) == list(robot.camera),
                      f"{name}: the modality config is found under {marker}, {field}")
    checks.expect(client.call("reset", {"options": None}) == {}, f"{name}: reset is answered")
    video, state = observation(robot, 1, 1)
    nested = {"video": video, "state": state, "language": {TASK: [["stay"]]}}
    actions, info = client.call("get_action", {"observation": nested, "options": None})
    checks.expect(are_rows(actions, True) and not any("." in key for key in actions),
                  f"{name}: a nested observation is answered (1, rows, columns), generation "
                  f"{info['generation']} of the robot, {info['drive']}: {info['why'] or 'all well'}")
    two = {"video": {key: np.repeat(array, 2, 1) for key, array in video.items()},
           "state": state, "language": {TASK: [["stay"]]}}
    actions, info = client.call("get_action", {"observation": two, "options": {}})
    checks.expect(are_rows(actions, True), f"{name}: of two frames the newest is taken")
    simulated = flat(video, state, ["stay"])
    actions, info = client.call("get_action", {"observation": simulated, "options": None})
    checks.expect(are_rows(actions, True, "action."),
                  f"{name}: a simulation's flat observation is answered with flat keys")
    checks.refused(lambda: client.call("get_action", {"observation": flat(
        *observation(robot, 2, 1), ["a", "b"]), "options": None}),
        f"{name}: a batch of two robots is refused", "batch of 2")
    missing = {"video": {}, "state": state, "language": nested["language"]}
    if robot.camera:
        checks.refused(lambda: client.call("get_action", {"observation": missing}),
                       f"{name}: a missing camera is named", next(iter(robot.camera)))
    checks.refused(lambda: client.call("kill"), f"{name}: kill is refused", "kill")
    # After a timeout N1.7's client makes a new socket and goes on.
    client.socket.setsockopt(zmq.RCVTIMEO, 0)
    try:
        client.call("get_action", {"observation": nested, "options": None})
        print(f"skipped {name}: its timeout, which the listener was quicker than")
    except zmq.Again:
        client.connect()
        actions, info = client.call("get_action", {"observation": nested, "options": None})
        checks.expect(are_rows(actions, True),
                      f"{name}: a client that replaced its socket goes on with its robot")
    client.close()


def tokens(robot, checks):
    for token in ("wrong", None):
        client = Client(robot.endpoint, token)
        checks.refused(lambda: client.call("ping"),
                       f"token {token!r} is refused", "Unauthorized: Invalid API token")
        client.close()


def pair(text):
    name, value = text.split("=")
    return name, tuple(int(part) for part in value.split("x"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--endpoint", required=True, help="tcp://ADDRESS:PORT or ipc://PATH")
    parser.add_argument("--token", help="what the listener's token_file holds")
    parser.add_argument("--state", type=pair, action="append", help="NAME=NUMBERS, in order")
    parser.add_argument("--camera", type=pair, action="append", help="NAME=ROWSxCOLUMNS, in order")
    robot = parser.parse_args()
    robot.state = {name: size[0] for name, size in robot.state or
                   [("single_arm", (5,)), ("gripper", (1,))]}
    robot.camera = dict(robot.camera or [])
    checks = Checks()
    try:
        n15(robot, checks)
        newer("N1.6", robot, checks, npy_pack, npy_unpack, "__ModalityConfig_class__", "as_json")
        newer("DROID", robot, checks, npy_pack, npy_unpack, "__ModalityConfig_class__", "as_dict")
        newer("N1.7", robot, checks, nd_pack, nd_unpack, "__ModalityConfig__", "as_json")
        if robot.token:
            tokens(robot, checks)
        else:
            print("skipped wrong tokens: the listener has none (--token)")
    except (Refused, zmq.Again) as error:
        checks.expect(False, f"stopped: {error or 'no answer came'}")
    print(f"{checks.failed} failed" if checks.failed else "all as GR00T's clients expect it")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
