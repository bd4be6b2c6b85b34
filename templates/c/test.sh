#!/bin/sh
# Asks the function outside the sandbox and compares. check WHAT EXPECTED EVENT_OPTION...
failed=0
check() {
    what=$1 expected=$2; shift 2
    answer=$(cloudless event apigw-proxy "$@" | cloudless run ./bootstrap 2>/dev/null)
    case $answer in
        *"$expected"*) echo "ok: $what" ;;
        *) echo "FAILED: $what: $answer"; failed=1 ;;
    esac
}

check 'a name is greeted' '{\"hello\":\"Ada\"}' --path /hello/Ada
check 'another path is not found' '"statusCode":404' --path /nothing
check 'another method is not allowed' '"statusCode":405' --path /hello/Ada --method POST
exit $failed
