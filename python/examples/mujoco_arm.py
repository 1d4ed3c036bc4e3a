#!/usr/bin/env python3
"""A controller with MuJoCo: an arm of examples/reach, its physics, and a host that moves it to a goal.

pip install mujoco
python3 mujoco_arm.py [--endpoint ipc:///…/control] [--robot left] [--arm planar3] [--seconds 10]
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

import cambium

try:
    import mujoco
except ImportError:
    sys.exit("mujoco_arm.py: needs MuJoCo's Python package: pip install mujoco; planar_arm.py needs only numpy")

ARMS = Path(__file__).resolve().parents[2] / "examples" / "reach" / "arms"

parser = argparse.ArgumentParser(description="A MuJoCo arm that a host moves to goals.")
parser.add_argument("--endpoint", default=cambium.default_endpoint())
parser.add_argument("--robot", default="left")
parser.add_argument("--arm", default="planar3")
parser.add_argument("--seconds", type=float, default=10.0)
options = parser.parse_args()

with cambium.Client(options.endpoint, options.robot, embodiment=options.arm) as client:
    info = client.wait(10.0)
    model = mujoco.MjModel.from_xml_path(str(ARMS / f"{options.arm}.xml"))
    for joint in info.joints:  # the ranges are the embodiment's, not the model's
        model.joint(joint.name).range[:] = joint.position_min, joint.position_max
    data = mujoco.MjData(model)
    at = [model.joint(joint.name).qposadr[0] for joint in info.joints]
    data.qpos[at] = setpoint = np.array([joint.home for joint in info.joints])
    mujoco.mj_forward(model, data)
    period = 1 / info.control_hz  # [s]
    home = data.site("tool").xpos.copy()
    goal, next_tick, chance = home, time.monotonic(), np.random.default_rng(1)
    for tick in range(int(options.seconds * info.control_hz)):
        if tick % int(3 * info.control_hz) == 0:  # another goal every three seconds
            goal = home + chance.uniform(-0.1, 0.1, 3) * (1, 1, options.arm != "planar3")
            client.start_episode()
        client.set("joint_position", data.qpos[at])  # [rad]
        client.set("tool", data.site("tool").xpos)  # [m] in the base frame
        client.set("goal", goal)
        reply = client.act(0.8 * period)
        if reply:  # velocities move the setpoints of the arm's position servos
            setpoint = setpoint + reply.values * period
        data.ctrl[:] = setpoint
        mujoco.mj_step(model, data, nstep=round(period / model.opt.timestep))
        if (tick + 1) % int(info.control_hz) == 0:
            print(f"{tick + 1:5} ticks, {1000 * np.linalg.norm(data.site('tool').xpos - goal):4.0f} mm from the goal")
        next_tick += period
        time.sleep(max(0.0, next_tick - time.monotonic()))
