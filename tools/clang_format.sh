#!/bin/sh
# clang_format.sh [options] FILE -- clang-format for a tree with loops of the form `for JSON_EACH (a, b)`: without their `for`
# clang-format knows them as loops (ForEachMacros). Lines stay lines, so -lines= means the same. Without a file: clang-format.
for file; do :; done
case ${file:--} in
-*) exec clang-format "$@" ;;
esac
sed 's/\bfor \(JSON_EACH\|EACH_OF\) (/\1 (/' "$file" | clang-format $(for word; do [ "$word" = "$file" ] || echo "$word"; done) --assume-filename="$file" |
    sed 's/^\( *\)\(JSON_EACH\|EACH_OF\) (/\1for \2 (/'
