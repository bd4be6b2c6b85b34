#!/bin/sh
# Asks the function outside the sandbox and compares; what it logged is shown when an answer is another.
failed=0
trap 'status=$?; [ $failed = 0 ] || status=1; exit $status' EXIT

# check WHAT EXPECTED EVENT_OPTION...: EXPECTED is a part of the answer.
check() {
    what=$1 expected=$2; shift 2
    answer=$(cloudless event apigw-proxy "$@" | cloudless run ./bootstrap 2>build/test.log)
    case $answer in
        *"$expected"*) echo "ok: $what" ;;
        *) echo "FAILED: $what: $answer"; cat build/test.log; failed=1 ;;
    esac
}

check 'a name is greeted' '{\"hello\":\"Ada\"}' --path /hello/Ada
check 'another path is not found' '"statusCode":404' --path /nothing
check 'another method is not allowed' '"statusCode":405' --path /hello/Ada --method POST
