#!/usr/bin/env bash
# All checks that need a GPU, one after the other: the tests marked `gpu`, and the benchmarks behind the GPU's part of
# docs/results.md, a scan of 16384 x 16384 px among them. Each has its own log, and a limit of time (LIMIT seconds, default 240); one that fails stops no other.
#
#   benchmarks/gpu.sh FOLDER          # PYTHON=.venv/bin/python chooses the interpreter
set -uo pipefail
folder=${1:?give a folder for the logs}
cd "$(dirname "$0")/.."
mkdir -p "$folder"
python=${PYTHON:-python3}
status=0

check() {
    local name=$1 begin=$SECONDS
    shift
    timeout "${LIMIT:-240}" "$python" "$@" >"$folder/$name.log" 2>&1
    local ended=$?
    ((ended == 0)) || status=1
    echo "== $name: status $ended, $((SECONDS - begin)) s"
    tail -n 30 "$folder/$name.log"
}

check networks benchmarks/networks.py --presets small,large --repeats 9 --output "$folder/networks.json"
check networks_batch8 benchmarks/networks.py --presets small,large --batch 8 --repeats 9 --output "$folder/networks_batch8.json"
check networks_compiled benchmarks/networks.py --presets small --compile reduce-overhead --repeats 9 \
    --output "$folder/networks_compiled.json"
check networks_compiled_batch8 benchmarks/networks.py --presets small --batch 8 --compile reduce-overhead --repeats 9 \
    --output "$folder/networks_compiled_batch8.json"
check inference_modes benchmarks/inference_modes.py --batch 8 --output "$folder/inference_modes.json"
check kernel_counts benchmarks/kernel_counts.py --details
check networks_batch16 benchmarks/networks.py --presets small --batch 16 --repeats 9 --output "$folder/networks_batch16.json"
check scan benchmarks/scan.py --parts time --device cuda:0 --side 16384 --repeats 1 --output "$folder/scan.json"
check snake benchmarks/snake.py
check tests -m pytest -m gpu
exit $status
