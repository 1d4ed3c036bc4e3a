"""Demonstrations of planar arms that servo their tool to a goal: cheap, and real enough to be learned."""

from __future__ import annotations

import numpy as np

from cambium.learn import ChainJoint, ChainSpec, Demonstrations, EmbodimentScale, RecordedSensor


def planar_reach(
    name: str, dof: int, episodes: int = 8, ticks: int = 20, horizon: int = 4, seed: int = 0
) -> Demonstrations:
    """Each link of an arm of `dof` joints is 1/dof m long; the expert follows the transposed Jacobian."""
    random = np.random.default_rng([seed, dof])
    rows = episodes * ticks
    q = np.zeros((rows, dof))
    tool, goal = np.zeros((rows, 3)), np.zeros((rows, 3))
    actions = np.zeros((rows, horizon, dof))
    for episode in range(episodes):
        now, aim = random.uniform(-1, 1, dof), tool_of(random.uniform(-1, 1, dof))
        for row in range(episode * ticks, (episode + 1) * ticks):
            q[row], tool[row], goal[row] = now, tool_of(now), aim
            ahead = now.copy()
            for step in range(horizon):
                actions[row, step] = velocity(ahead, aim)
                ahead = ahead + 0.05 * actions[row, step]
            now = now + 0.05 * actions[row, 0]
    limits = [2.5] * dof
    joints = tuple(
        ChainJoint(False, (i / dof, 0.0, 0.1), (0.0, 0.0, 1.0), 0.0, -2.5, 2.5, 2.0) for i in range(dof)
    )
    home = (1.0, 0.0, 0.1)
    return Demonstrations(
        embodiment=name,
        action_kind="joint_velocity",
        control_hz=100.0,
        horizon=horizon,
        dof=dof,
        scale=EmbodimentScale(
            [f"j{i}" for i in range(dof)],
            [-one for one in limits],
            limits,
            [2.0] * dof,
            home,
            1.0,
            ChainSpec(joints, home, 1.0),
        ),
        episode_start=np.arange(episodes + 1, dtype=np.int64) * ticks,
        sensors={
            "joint_position": RecordedSensor(q.astype(np.float32)),
            "tool": RecordedSensor(tool.astype(np.float32)),
            "goal": RecordedSensor(goal.astype(np.float32)),
        },
        actions=actions.astype(np.float32),
    )


def tool_of(q: np.ndarray) -> np.ndarray:
    angle = np.cumsum(q)
    return np.array([np.cos(angle).sum() / len(q), np.sin(angle).sum() / len(q), 0.1])


def velocity(q: np.ndarray, goal: np.ndarray) -> np.ndarray:
    angle = np.cumsum(q)
    x, y = np.cos(angle) / len(q), np.sin(angle) / len(q)
    base = np.stack([np.cumsum(x) - x, np.cumsum(y) - y], axis=1)
    reach, error = np.array([x.sum(), y.sum()]) - base, goal[:2] - np.array([x.sum(), y.sum()])
    return np.clip(4 * (-reach[:, 1] * error[0] + reach[:, 0] * error[1]), -2, 2)
