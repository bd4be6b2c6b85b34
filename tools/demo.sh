#!/bin/bash
# demo.sh start | stop -- a server with its data under build/demo, the example applications deployed and answering.
# CLOUDLESS_PORT chooses the port (4566), CLOUDLESS_DEMO_DATA the data directory. A server of the demo that runs already is used again.
set -eu
cd "$(dirname "$0")/.."

port=${CLOUDLESS_PORT:-4566}
url=http://127.0.0.1:$port
data=${CLOUDLESS_DEMO_DATA:-build/demo}
wait_seconds=30

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
value() { sed -n "s/^$1 = //p" "$data/endpoint" 2>/dev/null; }

# Is the process of the endpoint file alive, and ours? A program built anew since it started is "deleted" there.
running_pid() {
    pid=$(value pid)
    exe=$(readlink "/proc/${pid:-none}/exe" 2>/dev/null || true)
    [ "${exe% (deleted)}" = "$PWD/build/cloudless" ] && echo "$pid" || true
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

start_server() {
    if [ -n "$(running_pid)" ]; then
        url=$(value url)
        say "Using the demo server that runs at $url"
        return
    fi
    owner=$(python3 tools/port_owner.py "$port")
    if [ -n "$owner" ]; then
        echo "Port $port is taken by process ${owner% *} (${owner#* }). Stop it, or choose another port: CLOUDLESS_PORT=4567 make demo" >&2
        exit 1
    fi
    mkdir -p "$data"
    setsid build/cloudless serve --data "$data" --listen "127.0.0.1:$port" >"$data/stdout" 2>"$data/log" </dev/null &
    for _ in $(seq $((wait_seconds * 20))); do
        curl -sf "$url/_cloudless/health" >/dev/null && break
        kill -0 $! 2>/dev/null || { cat "$data/log" >&2; exit 1; }
        sleep 0.05
    done
    say "$(cat "$data/stdout")"
}

# ask METHOD URL [BODY]: the request as a curl command, and its answer.
ask() {
    if [ -n "${3:-}" ]; then
        echo "\$ curl -X $1 -d '$3' $2"
        answer=$(curl -sS -X "$1" -H 'Content-Type: application/json' -d "$3" "$2")
    else
        echo "\$ curl -X $1 $2"
        answer=$(curl -sS -X "$1" "$2")
    fi
    echo "  $answer"
}

start() {
    start_server
    eval "$(build/cloudless env --data "$data")"
    RUNTIME=$(build/cloudless runtime list | awk '$1 == "ok" && $2 ~ /^python/ { print $2; if ($2 == "python3.11") exit }' | tail -n 1)
    export RUNTIME

    say "The operation router"
    router=$(examples/router/deploy.sh)
    ask POST "$router" '{"operation":"ping"}'
    ask POST "$router" '{"operation":"create","tableName":"router-items","payload":{"Item":{"id":"'"$(date +%s)"'","name":"Ada"}}}'
    ask POST "$router" '{"operation":"list","tableName":"router-items"}'

    say "The todo list"
    todos=$(examples/todo/deploy.sh)
    ask POST "$todos" '{"title":"try Cloudless","description":"made '"$(date +%T)"'"}'
    id=$(echo "$answer" | sed -n 's/.*"id": "\([^"]*\)".*/\1/p')
    ask PUT "$todos/$id" '{"completed":true}'
    ask GET "$todos"
    ask GET "$todos/none"

    say "It is running. Stop it with: make demo-stop"
    cat <<TXT
Three things to try next:
  eval "\$(build/cloudless env --data $data)"
  aws dynamodb scan --table-name todo-items --endpoint-url $url
  aws logs tail /aws/lambda/todo --follow --endpoint-url $url
TXT
}

case "${1:-start}" in
    start) start ;;
    stop) stop ;;
    *) echo "usage: tools/demo.sh start | stop" >&2; exit 2 ;;
esac
