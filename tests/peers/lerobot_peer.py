#!/usr/bin/env python3
"""LeRobot's own RobotClient, with a robot that only supplies numbers, against a listener.

    lerobot_peer.py --endpoint 127.0.0.1:8080
        [--number shoulder_pan.pos ...] [--camera front=32x48 ...] [--action shoulder_pan.pos ...]

What runs is robot_client.py of an installed lerobot 0.4 or later: its threads, its queue of actions,
its pickles, its gRPC. Needs grpcio, protobuf, numpy, draccus and `pip install --no-deps lerobot`;
what else lerobot imports and its client never calls (data sets, policies, camera drivers) is left
out, and so is torch where it is not installed: then its tensors are numpy's.
Says in a sentence each what was tried. Exit code: 0 as the client expects it, 1 not so, 3 lerobot or
what it needs is not there.
"""

import argparse
import importlib.abc
import importlib.machinery
import importlib.util
import logging
import os
import sys
import tempfile
import threading
import time
import types

FAILED, NOT_THERE = 1, 3
SO100 = [
    f"{joint}.pos"
    for joint in ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
]
# Imported on the client's way, called by none of what it does.
UNUSED = {
    "accelerate", "cv2", "datasets", "huggingface_hub", "packaging", "pandas", "PIL", "pyarrow",
    "pyrealsense2", "safetensors", "serial", "torchvision", "deepdiff", "tqdm", "scservo_sdk",
}
UNUSED_OF_LEROBOT = {
    "lerobot.policies", "lerobot.processor", "lerobot.motors", "lerobot.cameras",
    "lerobot.datasets.backward_compatibility",
}


class _Nothing(type):
    """A class that stands wherever a name is imported and never called."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return cls

    def __getitem__(cls, _):
        return cls

    def __or__(cls, _):
        return cls

    __ror__ = __or__


class Nothing(metaclass=_Nothing):
    def __init__(self, *_, **__):
        pass


class LeftOut(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds what is unused and not installed, as modules full of Nothing."""

    def __init__(self, names):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        if any(name == one or name.startswith(one + ".") for one in self.names):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__getattr__ = self.attribute
        return module

    def exec_module(self, module):
        pass

    @staticmethod
    def attribute(name):
        if name.startswith("__"):
            raise AttributeError(name)
        return os.getcwd() if name == "HF_HOME" else Nothing  # the one that is a path


def is_installed(name):
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def numpy_for_torch():
    """The few things that robot_client does with a tensor."""
    import numpy as np

    class Tensor(np.ndarray):
        device = types.SimpleNamespace(type="cpu")

        def to(self, _device):
            return self

    torch = types.ModuleType("torch")
    torch.tensor = lambda values: np.asarray(values, np.float32).view(Tensor)
    torch.Tensor = Tensor
    torch.__getattr__ = LeftOut.attribute
    sys.modules["torch"] = torch


def say(sentence):
    print(f"lerobot: {sentence}", flush=True)


class Wrong(Exception):
    """Not as LeRobot's client expects it."""


def expect(holds, sentence):
    if not holds:
        raise Wrong(sentence)


def import_client():
    missing = [name for name in ("grpc", "google.protobuf", "numpy", "draccus", "lerobot") if not is_installed(name)]
    if missing:
        say(f"not there: {', '.join(missing)}; pip install grpcio protobuf numpy draccus, "
            "then pip install --no-deps lerobot")
        sys.exit(NOT_THERE)
    left_out = {name for name in UNUSED if not is_installed(name)}
    if is_installed("torch"):
        say("with the real torch")
    else:
        numpy_for_torch()
        left_out.add("torchvision")
        say("torch is not there: tensors are numpy's arrays")
    # Before the path: these exist, and would import what does not.
    sys.meta_path.insert(0, LeftOut(UNUSED_OF_LEROBOT))
    sys.meta_path.append(LeftOut(left_out))
    from importlib.metadata import version

    from lerobot.async_inference import robot_client

    say(f"robot_client of lerobot {version('lerobot')}")
    return robot_client


class Sentences(logging.Handler):
    """What the client logs as an error, but for what it says of its own end."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.said = []

    def emit(self, record):
        if "Channel closed!" not in record.getMessage():
            self.said.append(record.getMessage())


class Numbers:
    """A robot whose joints go at once where they are told; cameras are grey."""

    def __init__(self, numbers, cameras, actions):
        import numpy as np

        self.state = dict.fromkeys(numbers, 0.0)
        self.cameras = {name: np.full((*size, 3), 128, np.uint8) for name, size in cameras.items()}
        self.action_features = dict.fromkeys(actions, float)
        self.observation_features = dict.fromkeys(numbers, float) | {
            name: (*size, 3) for name, size in cameras.items()
        }
        self.sent = []

    def connect(self):
        pass

    def disconnect(self):
        pass

    def get_observation(self):
        return dict(self.state) | {name: picture.copy() for name, picture in self.cameras.items()}

    def send_action(self, action):
        self.sent.append(action)
        self.state.update((name, value) for name, value in action.items() if name in self.state)
        return action


def make_client(robot_client, wanted, robot):
    from lerobot.async_inference.configs import RobotClientConfig
    from lerobot.robots.config import RobotConfig

    robot_client.make_robot_from_config = lambda _: robot
    config = RobotClientConfig(
        policy_type=wanted.policy_type, pretrained_name_or_path=wanted.policy_path,
        robot=object.__new__(RobotConfig), actions_per_chunk=wanted.rows, task="reach",
        server_address=wanted.endpoint.removeprefix("tcp://"), fps=30)
    return robot_client.RobotClient(config)


def drive(client, robot, seconds):
    """As async_client() of lerobot does; ends when the robot has moved for as long."""
    receiving = threading.Thread(target=client.receive_actions, daemon=True)
    receiving.start()
    controlling = threading.Thread(target=client.control_loop, args=("reach",), daemon=True)
    controlling.start()
    until = time.monotonic() + 20
    while time.monotonic() < until and len(robot.sent) < seconds * 30:
        time.sleep(0.05)
    client.stop()
    controlling.join(5)
    receiving.join(5)
    expect(not receiving.is_alive() and not controlling.is_alive(), "the client's threads did not end")


def run(robot_client, wanted):
    cameras = {}
    for camera in wanted.camera:
        name, _, size = camera.partition("=")
        cameras[name] = tuple(int(side) for side in size.split("x"))
    numbers = wanted.number or SO100
    actions = wanted.action or numbers
    errors = Sentences()
    robot_client.RobotClient.logger.addHandler(errors)

    robot = Numbers(numbers, cameras, actions)
    client = make_client(robot_client, wanted, robot)
    expect(client.start(), f"the client was refused: {errors.said[-1:]}")
    say(f"was accepted with {len(numbers)} numbers and {len(cameras)} cameras")
    drive(client, robot, wanted.seconds)
    expect(len(robot.sent) >= wanted.seconds * 30, f"only {len(robot.sent)} actions came: {errors.said[-1:]}")
    expect(all(list(action) == actions for action in robot.sent), "an action lacks a joint")
    expect(all(abs(value) < 1e6 for action in robot.sent for value in action.values()),
           "an action is no finite number")
    expect(not errors.said, f"the client logged: {errors.said[-1:]}")
    say(f"moved its robot {len(robot.sent)} times with chunks of {client.action_chunk_size} actions, and logged no error")

    robot = Numbers(numbers, cameras, actions)
    client = make_client(robot_client, wanted, robot)
    expect(client.start(), f"a script that is started again was refused: {errors.said[-1:]}")
    drive(client, robot, 1)
    expect(robot.sent, f"and then got no actions: {errors.said[-1:]}")
    say("was stopped, started again at once, and drove on")

    client = make_client(robot_client, wanted, Numbers(numbers[1:], cameras, actions))
    expect(not client.start(), "a robot without the joint that the policy needs was accepted")
    expect(numbers[0] in errors.said[-1], f"the refusal does not name {numbers[0]}: {errors.said[-1]}")
    client.channel.close()
    say(f"a robot without {numbers[0]} was refused, and its script says why")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--endpoint", required=True, help="HOST:PORT, or tcp://HOST:PORT")
    parser.add_argument("--number", action="append", help="of the robot's state; else those of an SO-100")
    parser.add_argument("--action", action="append", help="of an action, in its order; else all numbers")
    parser.add_argument("--camera", action="append", default=[], help="NAME=ROWSxCOLUMNS")
    parser.add_argument("--policy-type", default="act")
    parser.add_argument("--policy-path", default="user/my_act_policy")
    parser.add_argument("--rows", type=int, default=10, help="actions_per_chunk")
    parser.add_argument("--seconds", type=float, default=3)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:  # lerobot writes its logs where it runs
        os.chdir(folder)
        try:
            run(import_client(), wanted)
        except Wrong as wrong:
            say(f"FAILED: {wrong}")
            return FAILED
        finally:
            os.chdir("/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
