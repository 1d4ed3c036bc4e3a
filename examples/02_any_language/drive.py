# Drives a robot with two joints and a goal through a listener with protocol = "json": drive.py PORT.
import sys

port = int(sys.argv[1])

# [drive]
import json, socket

robot = socket.create_connection(("127.0.0.1", port)).makefile("rw")
position = [0.0, 0.0]  # rad
for _ in range(5):
    observation = {"joint_position": position, "goal": [0.3, 0.1, 0.0]}
    print(json.dumps({"observation": observation}), file=robot, flush=True)
    answer = json.loads(robot.readline())
    for row in answer["actions"]["actions"]:  # rad/s, one row for each 1 / hz seconds
        position = [p + v / answer["hz"] for p, v in zip(position, row)]
    print(answer["drive"], *(f"{p:+.3f}" for p in position))
# [/drive]
