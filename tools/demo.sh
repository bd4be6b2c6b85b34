#!/bin/bash
# demo.sh start | stop -- a server with its data under build/demo, the example applications deployed and answering.
# CLOUDLESS_PORT chooses the port (4566), CLOUDLESS_DEMO_DATA the data directory. A server of the demo that runs already is used again, and
# so is another Cloudless of the same user on that port; whatever else has the port is named and left alone: not a request goes to it.
set -eu -o pipefail
cd "$(dirname "$0")/.."

port=${CLOUDLESS_PORT:-4566}
url=http://127.0.0.1:$port
data=${CLOUDLESS_DEMO_DATA:-build/demo}
credentials=$data           # where the server's key lies
wait_seconds=30

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
value() { sed -n "s/^$1 = //p" "$data/endpoint" 2>/dev/null; }

# Is the process of the endpoint file alive, ours, and the server of these data? A program built anew since it started is "deleted" there.
running_pid() {
    pid=$(value pid)
    exe=$(readlink "/proc/${pid:-none}/exe" 2>/dev/null || true)
    [ "${exe% (deleted)}" = "$PWD/build/cloudless" ] && [ "$(data_of "$pid")" -ef "$data" ] && echo "$pid" || true
}

stop() {
    pid=$(running_pid)
    if [ -z "$pid" ]; then echo "No demo server is running."; return; fi
    kill -TERM "$pid"
    for _ in $(seq $((wait_seconds * 10))); do
        [ -d "/proc/$pid" ] || { echo "The demo server has ended. Its data stays in $data."; return; }
        sleep 0.1
    done
    echo "The demo server (pid $pid) did not end within $wait_seconds s." >&2
    exit 1
}

# The data directory of the process with that pid, if it is a Cloudless; its command line names it.
data_of() {
    case $(readlink "/proc/$1/exe" 2>/dev/null) in */cloudless|*'/cloudless (deleted)') ;; *) return ;; esac
    found=$(tr '\0' '\n' <"/proc/$1/cmdline" | sed -n '/^--data$/{n;p;q}; s/^--data=//p')
    found=${found:-$(tr '\0' '\n' <"/proc/$1/environ" 2>/dev/null | sed -n 's|^HOME=\(.*\)|\1/.local/share/cloudless|p')}
    case $found in /*) ;; *) found=$(readlink "/proc/$1/cwd")/$found ;; esac
    [ ! -r "$found/credentials" ] || echo "$found"
}

taken() {
    echo "Port $port is taken by $1. The demo does not talk to it: stop it, or choose another port: CLOUDLESS_PORT=4567 make demo" >&2
    exit 1
}

# A server without sandboxes serves everything but functions.
can_run_functions() {
    why=$(sed -n 's/.* sandbox\.unavailable reason="\([^"]*\)".*/\1/p' "$data/log")
    [ -n "$why" ] || return 0
    printf 'Functions cannot be run on this machine: %s\n' "$why" >&2
    { build/cloudless doctor --data "$data" || true; } | sed -n '/ python/d; / data:/d; s/^-- *//p' >&2
    stop
    exit 1
}

start_server() {
    if [ -n "$(running_pid)" ]; then
        url=$(value url)
        say "Using the demo server that runs at $url"
        return
    fi
    owner=$(python3 tools/port_owner.py "$port")
    if [ -n "$owner" ]; then
        read -r pid user name <<<"$owner"
        [ "$user" = "$(id -un)" ] || taken "the user $user${name:+, process $pid ($name)}"
        theirs=$(data_of "$pid")
        [ -n "$theirs" ] || taken "process $pid ($name)"
        say "Using the Cloudless server that runs at $url, with its data in $theirs"
        credentials=$theirs
        return
    fi
    mkdir -p "$data"
    setsid build/cloudless serve --data "$data" --listen "127.0.0.1:$port" >"$data/stdout" 2>"$data/log" </dev/null &
    # It is this one that has the port when it has written its pid.
    for _ in $(seq $((wait_seconds * 20))); do
        [ "$(value pid)" != $! ] || { say "$(cat "$data/stdout")"; can_run_functions; return; }
        kill -0 $! 2>/dev/null || { cat "$data/log" >&2; exit 1; }
        sleep 0.05
    done
    echo "The server is not ready after $wait_seconds s; its log is $data/log" >&2
    exit 1
}

# ---- the applications, each in Python and in C ----

languages='python c'
export JWT_SECRET='the secret of the demo, long enough for HS256'

# deploy APPLICATION: both languages; the URLs go to files. What they do is shown as it happens.
deploy() {
    for language in $languages; do
        { "examples/$1/deploy.sh" "$language" 2>&1 >"$data/$1-$language.url" || return 1; } | sed -u "s/^ */  $1, $language: /"
    done
}

# The AWS CLI, loaded once; where that is not possible, the AWS CLI.
load_aws() {
    quick=$(mktemp -d)
    /usr/bin/python3 tools/aws_quick.py "$quick" >"$data/aws.log" 2>&1 </dev/null &
    loaded=$!
    trap 'kill "$loaded" 2>/dev/null || true; rm -rf "$quick"' EXIT
    while kill -0 "$loaded" 2>/dev/null && [ ! -e "$quick/aws" ]; do sleep 0.05; done
    PATH=$quick:$PATH
}

start() {
    start_server
    mkdir -p "$data"
    eval "$(build/cloudless env --data "$credentials")"
    export RUNTIME=python3.11

    say "Four applications, each in Python and in C, deployed with the AWS CLI"
    begin=$SECONDS
    load_aws
    pids=''
    for application in router todo items orders; do deploy "$application" & pids="$pids $!"; done
    failed=0
    for pid in $pids; do wait "$pid" || failed=1; done
    [ $failed = 0 ] || { echo "The applications are not deployed." >&2; exit 1; }
    echo "  deployed in $((SECONDS - begin)) s"

    alike=0
    python3 tools/demo_ask.py "$data" || alike=$?

    say "It is running. Stop it with: make demo-stop"
    cat <<TXT
Three things to try next:
  eval "\$(build/cloudless env --data $credentials)"
  aws dynamodb scan --table-name todo-items --endpoint-url $AWS_ENDPOINT_URL
  aws logs tail /aws/lambda/todo-c --follow --endpoint-url $AWS_ENDPOINT_URL
TXT
    return "$alike"
}

case "${1:-start}" in
    start) start ;;
    stop) stop ;;
    *) echo "usage: tools/demo.sh start | stop" >&2; exit 2 ;;
esac
