#!/usr/bin/env bash
# Runs every fuzz target for SECONDS each (60 where none are given), on stable Rust, from a clean clone:
#
#   fuzz/run.sh [SECONDS] [TARGET…]
#
# Seeds are fuzz/corpus/TARGET; what is found on the way goes to fuzz/found/TARGET and is not kept. Ends with an error
# at the first input that breaks a promise; it stands in fuzz/artifacts/TARGET then.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:-60}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "usage: fuzz/run.sh [SECONDS] [TARGET…]" >&2; exit 2; }
shift || true

if ! cargo fuzz --version >/dev/null 2>&1; then
    cargo install cargo-fuzz --locked
fi
if [ $# -gt 0 ]; then targets=("$@"); else mapfile -t targets < <(cargo fuzz list); fi

# Without a sanitizer nothing here needs a nightly compiler. There is no unsafe code of ours for one to watch.
cargo fuzz build --sanitizer none
for target in "${targets[@]}"; do
    printf '\n== %s, %s s\n' "$target" "$seconds"
    mkdir -p "found/$target"
    words=(); [ ! -f "dictionaries/$target" ] || words=(-dict="dictionaries/$target")
    # An input that takes 10 s or half a gigabyte is found as well as one that panics.
    cargo fuzz run --sanitizer none "$target" "found/$target" "corpus/$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=512 -max_len=16384 -print_final_stats=1 ${words[@]+"${words[@]}"} 2>&1 |
        grep -vE '^(#[0-9]+[[:space:]]+(NEW|REDUCE|RELOAD|pulse|INITED)|"|######)'
done
