#!/bin/sh
# host_runs.sh PREFIX PROJECT FOLDER NAME: the host takes a generated robot as it is. FOLDER holds build/libNAME.so.
set -eu
sockets=$(mktemp -d)
host=
stop() {
  [ -z "$host" ] || kill "$host" 2>/dev/null || true
  wait
  rm -rf "$sockets"
}
trap stop EXIT
{
  printf '[trunk]\nendpoint = "ipc://%s/trunk"\n[host]\ncontrol = "ipc://%s/control"\nadmin = "ipc://%s/admin"\n' \
    "$sockets" "$sockets" "$sockets"
  printf 'run_dir = "%s"\nrealtime = "off"\n\n' "$sockets"
  cat "$2/robot.toml"
} > "$3/cambium.toml"
"$1/bin/cambium" host --config "$3/cambium.toml" &
host=$!
tries=0
until "$1/bin/cambium" status --config "$3/cambium.toml" --json > "$sockets/status" 2>/dev/null; do
  tries=$((tries + 1))
  kill -0 "$host" || { echo "the host has ended"; exit 1; }
  [ $tries -lt 20 ] || { echo "the host did not answer"; exit 1; }
done
grep -q "\"embodiment\":\"$4\"" "$sockets/status" || { cat "$sockets/status"; exit 1; }
echo "the host holds $4"
