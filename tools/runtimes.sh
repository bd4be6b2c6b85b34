#!/bin/sh
# runtimes.sh DEST -- builds DEST/python3.X for every Lambda runtime whose interpreter is on this machine: AWS's interface client
# and SDK as src/runtimes/requirements-python3.X.txt pins them, and our bootstrap. Mounted at /var/runtime in sandboxes.
# Says nothing and does nothing when all of it is there. Packages come as wheels, by the pip of the build's virtual
# environment, so the interpreter itself needs none. PIP=/path/to/pip uses another.
# Compiled with unchecked hashes: a tree in a read-only mount is never compiled again, whatever its times say.
set -eu
cd "$(dirname "$0")/.."
[ $# = 1 ] || { echo "usage: tools/runtimes.sh DEST" >&2; exit 2; }
dest=$1
pip=${PIP:-build/venv/bin/pip}
own="bootstrap.py cloudless_runtime.py"

# The interpreter of version $1, as the server finds it too: PATH, pyenv, uv. pyenv's shims may stand for nothing.
interpreter() {
    found=$(command -v "python$1" 2>/dev/null || true)
    case "$found" in
        '' | */shims/*) ;;
        *) echo "$found"; return ;;
    esac
    for found in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/"python$1" "$HOME/.local/share/uv/python/cpython-$1".*/bin/"python$1"; do
        if [ -x "$found" ]; then echo "$found"; return; fi
    done
}

build() {
    version=$1 python=$2 tree=$3 stamp=$4
    rm -rf "$tree.new"
    mkdir -p "$tree.new"
    "$pip" install -q --disable-pip-version-check --no-deps --no-compile --only-binary=:all: --implementation cp \
        --python-version "$version" --target "$tree.new" -r "src/runtimes/requirements-python$version.txt"
    rm -rf "$tree.new/bin"
    for file in $own; do cp "src/runtimes/$file" "$tree.new/"; done
    "$python" -m compileall -q --invalidation-mode unchecked-hash "$tree.new"
    chmod -R a+rX "$tree.new"
    echo "$stamp" >"$tree.new/.stamp"
    rm -rf "$tree"
    mv "$tree.new" "$tree"
}

jobs=
for requirements in src/runtimes/requirements-python*.txt; do
    version=${requirements#*-python} version=${version%.txt}
    tree=$dest/python$version
    stamp=$(cd src/runtimes && cat "requirements-python$version.txt" $own ../../tools/runtimes.sh | cksum)
    if [ -f "$tree/.stamp" ] && [ "$(cat "$tree/.stamp")" = "$stamp" ]; then continue; fi
    python=$(interpreter "$version")
    [ -n "$python" ] || continue
    echo "runtimes: building $tree" >&2
    mkdir -p "$dest"
    build "$version" "$python" "$tree" "$stamp" >"$tree.log" 2>&1 &
    jobs="$jobs $!:$tree"
done
failed=0
for job in $jobs; do
    if wait "${job%%:*}"; then
        rm -f "${job#*:}.log"
    else
        tail -n 20 "${job#*:}.log" >&2
        echo "runtimes: ${job#*:} failed; its whole output is in ${job#*:}.log" >&2
        failed=1
    fi
done
exit $failed
