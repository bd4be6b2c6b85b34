#!/bin/sh
# package_python.sh ZIP PYTHON FILE... -- a Lambda package of the files, with what a requirements.txt among them names,
# for the runtime python3.11 on x86-64.
set -eu
zip=$PWD/$1 python=$2; shift 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for file; do
    case $file in
        */requirements.txt)
            "$python" -m pip install -q --disable-pip-version-check --no-compile --target "$folder" --python-version 3.11 \
                --platform manylinux2014_x86_64 --implementation cp --only-binary=:all: -r "$file"
            rm -rf "$folder/bin" ;;
        *) cp "$file" "$folder" ;;
    esac
done
rm -f "$zip"
chmod -R a+rX "$folder"         # the function is not the owner of its files
(cd "$folder" && zip -q -r -X "$zip" .)
