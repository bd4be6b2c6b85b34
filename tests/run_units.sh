#!/bin/sh
# run_units.sh ROOT PROGRAM... -- runs each cmocka program in a process of its own and adds up: "N passed, N failed".
set -u
root=$1; shift
passed=0 failed=0
for program; do
    name=${program#"$root"/}
    log=$program.log
    if timeout -k 5 300 "$program" >"$log" 2>&1; then status=0; else status=$?; fi
    p=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
    f=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$log" | head -n 1)
    passed=$((passed + ${p:-0}))
    if [ $status -ne 0 ]; then
        [ "${f:-0}" -gt 0 ] || f=1
        failed=$((failed + f))
        echo "FAILED $name (exit status $status)"; cat "$log"
    else
        echo "ok $name (${p:-0})"
    fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
