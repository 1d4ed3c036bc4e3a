#!/bin/sh
# reach_end_to_end.sh BIN LIB MODELS: trunk, host and a simulated arm as processes of their own, with the shipped weights.
# The arm reaches goals, its weights are swapped while it moves, it reaches more, and nothing is left behind.
set -eu
bin=$1 lib=$2 models=$3
work=$(mktemp -d)
pids=
stop() {
  for pid in $pids; do kill "$pid" 2>/dev/null || true; done
  wait
  rm -rf "$work"
}
trap stop EXIT
cat > "$work/cambium.toml" <<T
[trunk]
endpoint = "ipc://$work/trunk"
stock = "$models/stock.safetensors"
[host]
control = "ipc://$work/control"
admin = "ipc://$work/admin"
run_dir = "$work"
realtime = "off"
[[robot]]
name = "arm"
plugin = "$lib/libplanar3.so"
bundle = "$models/planar3.safetensors"
T
"$bin/cambium" trunk --config "$work/cambium.toml" > "$work/trunk.log" 2>&1 & pids="$pids $!"
"$bin/cambium" host --config "$work/cambium.toml" > "$work/host.log" 2>&1 & host=$! pids="$pids $!"
"$bin/cambium-reach-controller" --arm planar3 --robot arm --endpoint "ipc://$work/control" --wait 20 --seconds 8 \
  --report "$work/report.json" > "$work/controller.log" 2>&1 &
controller=$!
tries=0
until "$bin/cambium" status --config "$work/cambium.toml" --json 2>/dev/null | grep -q '"drive":"policy"'; do
  tries=$((tries + 1))
  kill -0 $host && [ $tries -lt 200 ] || { cat "$work"/*.log; exit 1; }
done
"$bin/cambium" swap arm --config "$work/cambium.toml" --bundle "$models/planar3_regrafted.safetensors" --json \
  > "$work/swap.json"
wait $controller || { cat "$work"/*.log; exit 1; }
cat "$work/swap.json" "$work/report.json"
grep -q '"ok":true' "$work/swap.json"
grep -q '"generation": 2' "$work/report.json"
reached=$(sed -n 's/.*"reached": \([0-9]*\).*/\1/p' "$work/report.json")
targets=$(sed -n 's/.*"targets": \([0-9]*\).*/\1/p' "$work/report.json")
[ "$reached" -ge 2 ] && [ $((10 * reached)) -ge $((9 * targets)) ] || { echo "reached $reached of $targets"; exit 1; }
for pid in $pids; do kill -TERM "$pid"; done
for pid in $pids; do wait "$pid" || { echo "process $pid ended with $?"; exit 1; }; done
pids=
left=$(find "$work" -type s -o -name '*.lock')
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
echo "end to end: $reached of $targets goals reached"
