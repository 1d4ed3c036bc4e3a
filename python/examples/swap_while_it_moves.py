#!/usr/bin/env python3
"""Looks after a host: other weights for a robot while it moves, and back again.

python3 swap_while_it_moves.py --bundle models/planar3_regrafted.safetensors [--admin ipc:///…/admin] [--robot left]
"""

import argparse
import sys

import cambium

parser = argparse.ArgumentParser(description="Other weights for a robot while it moves, and back again.")
parser.add_argument("--admin", default="", help="admin endpoint of the host; else the one of this user")
parser.add_argument("--robot", default="left")
parser.add_argument("--bundle", required=True)
options = parser.parse_args()
admin = cambium.Admin(options.admin)

try:
    before = admin.status()
    robot = next((one for one in before["robots"] if one["name"] == options.robot), None)
    if robot is None:
        sys.exit(f"no robot '{options.robot}' here: {', '.join(one['name'] for one in before['robots'])}")
    print(f"'{robot['name']}' is a {robot['embodiment']}, generation {robot['generation']}, {robot['ticks']} ticks")
    print(admin.swap(options.robot, bundle=options.bundle).text)
    print(admin.rollback(options.robot).text)
    print("same trunk:", admin.status()["trunk_id"] == before["trunk_id"])
except cambium.CambiumError as error:
    sys.exit(f"swap_while_it_moves.py: {error}")
