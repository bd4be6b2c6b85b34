#!/bin/sh
# run_fuzzers.sh ROOT SECONDS FUZZER... -- each over its checked-in corpus and then on, for SECONDS, as many at a time as there are
# processors; new inputs stay under ROOT.
set -u
root=$1 seconds=$2; shift 2

# fuzz_one FUZZER
fuzz_one() {
    fuzzer=$1 name=$(basename "$1" _fuzz)
    found=$root/found/$name corpus=tests/fuzz/corpus/$name dict=tests/fuzz/$name.dict
    mkdir -p "$found" "$corpus"
    set -- -max_total_time="$seconds" -rss_limit_mb=4096 -timeout=20 -artifact_prefix="$root/"
    [ -f "$dict" ] && set -- "$@" -dict="$dict"
    if "$fuzzer" "$@" "$found" "$corpus" >"$root/$name.log" 2>&1; then
        echo "ok $name" | tee "$root/$name.result"
    else
        { echo "FAILED $name"; tail -n 60 "$root/$name.log"; } | tee "$root/$name.result"
    fi
}

rm -f "$root"/*.result
begun=0
for fuzzer; do
    fuzz_one "$fuzzer" &
    begun=$((begun + 1))
    [ $((begun % $(nproc))) -ne 0 ] || wait
done
wait
passed=$(cat "$root"/*.result | grep -c '^ok ')
failed=$(($# - passed))
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
