#!/usr/bin/env bash
# Trains every arm with every seed, then evaluates every model and the base model: two processes at a time.
# Usage: run.sh DATA_FOLDER MODEL OUT STEPS BATCH_SIZE LEARNING_RATE MAX_LENGTH MAX_NEW_TOKENS "ARMS" "SEEDS"
set -euo pipefail
data=$1 model=$2 out=$3 steps=$4 batch=$5 rate=$6 length=$7 new_tokens=$8 arms=$9 seeds=${10}
here=$(cd "$(dirname "$0")" && pwd)
processes=${PROCESSES:-2}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} HF_HUB_OFFLINE=1 HF_DATASETS_CACHE="$out/cache" TOKENIZERS_PARALLELISM=false
mkdir -p "$out/logs" "$out/tasks"

# The tasks' files name the items relative to nothing, so they are written out with this run's folder.
for task in numeric perplexity; do
    sed -e "s|ITEMS|$data|" -e "s|MAX_NEW_TOKENS|$new_tokens|" "$here/tasks/$task.yaml" >"$out/tasks/$task.yaml"
done
cp "$here/tasks/scoring.py" "$out/tasks/"

train() { # ARM SEED
    python "$here/train.py" --model "$model" --rows "$data/$1.jsonl" --out "$out/models/$1-$2" --seed "$2" \
        --steps "$steps" --batch-size "$batch" --learning-rate "$rate" --max-length "$length" >"$out/logs/train-$1-$2" 2>&1
    echo "trained $1, seed $2"
}
evaluate() { # NAME FOLDER
    lm_eval run --model hf --model_args "pretrained=$2,dtype=float32" --device cpu --batch_size 64 \
        --tasks assay_peer_numeric,assay_peer_perplexity --include_path "$out/tasks" \
        --output_path "$out/results/$1" --log_samples >"$out/logs/eval-$1" 2>&1
    echo "evaluated $1"
}
export -f train evaluate
export data model out steps batch rate length here

for arm in $arms; do for seed in $seeds; do echo "$arm $seed"; done; done |
    xargs -P "$processes" -L 1 bash -euc 'train "$@"' train
{
    echo "control $model"
    for arm in $arms; do for seed in $seeds; do echo "$arm-$seed $out/models/$arm-$seed"; done; done
} | xargs -P "$processes" -L 1 bash -euc 'evaluate "$@"' evaluate
