#!/usr/bin/env bash
# Usage: tools/check_format.sh [--fix]
# Names the files that differ from .clang-format and exits 1 if there are any (2: usage, or no
# clang-format); --fix rewrites them instead. CLANG_FORMAT names another program.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=(--dry-run --Werror)
case "${1-}" in
  "") ;;
  --fix) mode=(-i) ;;
  *) sed -n '2,4s/^# //p' "$0"; [[ "$1" == --help ]] && exit 0; exit 2 ;;
esac

# Two versions of clang-format never agree; 14 is the one of Debian 12.
formatter="${CLANG_FORMAT:-clang-format-14}"
if ! command -v "$formatter" >/dev/null; then
  echo "check_format: $formatter not found (Debian: apt-get install clang-format)" >&2
  exit 2
fi

folders=()
for folder in sched bus supervisor tests bench tools examples; do
  [[ -d "$folder" ]] && folders+=("$folder")
done
mapfile -d '' -t files < <(find "${folders[@]}" \( -name '*.h' -o -name '*.cc' \) -print0 | sort -z)
if ((${#files[@]} == 0)); then
  echo "format: no files" >&2
  exit 1
fi
if ! "$formatter" "${mode[@]}" -- "${files[@]}"; then
  echo "format: some files differ; tools/check_format.sh --fix rewrites them" >&2
  exit 1
fi
echo "format: ${#files[@]} files, all well"
