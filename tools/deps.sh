#!/bin/sh
# deps.sh apt [test] | venv DIR -- installs what packages.txt and requirements.txt name; silent when nothing is missing.
# Lines of packages.txt that end in "test" are installed with `apt test` only.
# Without root the missing Debian packages are named and the script fails; run again once they are there.
set -eu
cd "$(dirname "$0")/.."
os_release=${OS_RELEASE:-/etc/os-release}

apt_packages() {
    missing=
    for package in $(sed -e 's/#.*//' packages.txt | awk -v all="${1:-}" 'NF == 1 || $2 == all { print $1 }'); do
        case "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" in
            installed) ;;
            *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    # Other releases have other packages: Debian 13's node-llhttp has no sources in C.
    (. "$os_release"; case "$ID ${VERSION_ID:-}" in
        'debian 12') ;;
        *) echo "deps: Cloudless is built on Debian 12; this is $PRETTY_NAME, whose packages are not the same" >&2; exit 1 ;;
    esac)
    if [ "$(id -u)" != 0 ]; then
        echo "deps: these Debian packages are missing; install them, then run make again:" >&2
        echo "  sudo apt-get install$missing" >&2
        exit 1
    fi
    echo "deps: installing$missing" >&2
    mkdir -p build
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } >build/apt.log 2>&1; then
        tail -n 20 build/apt.log >&2
        echo "deps: apt-get failed; its whole output is in build/apt.log" >&2
        exit 1
    fi
}

venv() {
    python=/usr/bin/python3
    [ -x "$python" ] || python=python3
    if ! { "$python" -m venv "$1" && "$1/bin/pip" install -q --disable-pip-version-check -r requirements.txt; } >build/pip.log 2>&1; then
        tail -n 20 build/pip.log >&2
        echo "deps: pip failed; its whole output is in build/pip.log" >&2
        exit 1
    fi
    touch "$1/.done"
}

case "${1:-}" in
    apt) apt_packages "${2:-}" ;;
    venv) mkdir -p build; venv "$2" ;;
    *) echo "usage: tools/deps.sh apt | venv DIR" >&2; exit 2 ;;
esac
