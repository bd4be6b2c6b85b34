#!/bin/sh
# run_fuzzers.sh ROOT SECONDS FUZZER... -- each over its checked-in corpus and then on, for SECONDS; new inputs stay under ROOT.
set -u
root=$1 seconds=$2; shift 2
passed=0 failed=0
for fuzzer; do
    name=$(basename "$fuzzer" _fuzz)
    found=$root/found/$name corpus=tests/fuzz/corpus/$name dict=tests/fuzz/$name.dict
    mkdir -p "$found" "$corpus"
    set -- -max_total_time="$seconds" -rss_limit_mb=4096 -timeout=20 -artifact_prefix="$root/"
    [ -f "$dict" ] && set -- "$@" -dict="$dict"
    if "$fuzzer" "$@" "$found" "$corpus" >"$root/$name.log" 2>&1; then
        passed=$((passed + 1)); echo "ok $name"
    else
        failed=$((failed + 1)); echo "FAILED $name"; tail -n 60 "$root/$name.log"
    fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
