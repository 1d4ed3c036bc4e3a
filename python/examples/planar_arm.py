#!/usr/bin/env python3
"""A controller in numpy: a simulated planar arm (3 joints, plugins/planar3) that a host moves to goals.

python3 planar_arm.py [--endpoint ipc:///…/control] [--robot left] [--goals 5]
"""

import argparse
import time

import numpy as np

import cambium

LINKS = np.array([0.30, 0.25, 0.15])  # [m]
HEIGHT = 0.10  # [m] above the base


def tool(q):
    """Where the tool is: q [rad] (3) -> [m] (3), in the base frame."""
    angles = np.cumsum(q)
    return np.array([LINKS @ np.cos(angles), LINKS @ np.sin(angles), HEIGHT])


parser = argparse.ArgumentParser(description="A simulated planar arm that a host moves to goals.")
parser.add_argument("--endpoint", default=cambium.default_endpoint())
parser.add_argument("--robot", default="left")
parser.add_argument("--goals", type=int, default=5)
options = parser.parse_args()
chance = np.random.default_rng(1)


def tell(event):
    print(event.text)


with cambium.Client(options.endpoint, options.robot, embodiment="planar3", on_event=tell) as client:
    info = client.wait(10.0)
    q = np.array([joint.home for joint in info.joints])
    reached = 0
    for _ in range(options.goals):
        goal = tool([joint.home for joint in info.joints] + chance.uniform(-0.5, 0.5, 3))
        client.start_episode()
        next_tick = time.monotonic()
        for _ in range(4 * int(info.control_hz)):  # four seconds at most
            # [tick]
            client.set("joint_position", q)  # [rad] (3)
            client.set("tool", tool(q))  # [m] (3)
            client.set("goal", goal)  # [m] (3)
            reply = client.act(0.8 / info.control_hz)
            if reply:  # else the arm stands still for this tick
                q = q + reply.values / info.control_hz
            # [/tick]
            next_tick += 1 / info.control_hz
            time.sleep(max(0.0, next_tick - time.monotonic()))
            if np.linalg.norm(tool(q) - goal) < 0.02:
                break
        distance = np.linalg.norm(tool(q) - goal)
        reached += distance < 0.02
        print(f"goal {np.round(goal, 2)}: {1000 * distance:.0f} mm away")
print(f"reached {reached} of {options.goals}")
