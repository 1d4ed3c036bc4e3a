#!/bin/sh
# Asks a listener with protocol = "json" what it expects, and sends it one observation: talk.sh PORT.
set -eu
port=$1

# [talk]
echo '{"describe": true}' | nc -N 127.0.0.1 "$port"
echo '{"observation": {"joint_position": [0, 0], "goal": [0.3, 0.1, 0]}}' | nc -N 127.0.0.1 "$port"
# [/talk]
