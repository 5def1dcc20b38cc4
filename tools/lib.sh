# Shared by tools/bench, tools/demo and tools/test: messages, steps, set-up. Sourced, never run.
# shellcheck shell=bash

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

EXIT_FAILED=1   # a step failed
EXIT_USAGE=2    # the command line makes no sense
EXIT_MACHINE=3  # this machine cannot be set up

BUILD_PACKAGES=(g++ cmake ninja-build pkg-config python3 libtbb-dev libconcurrentqueue-dev
  libabsl-dev libgtest-dev libgmock-dev libbenchmark-dev libboost-dev libboost-context-dev libcaf-dev
  libssl-dev libcli11-dev nlohmann-json3-dev libfmt-dev)
BENCH_PACKAGES=(python3-matplotlib)
# llvm: without its symbolizer a sanitizer's report names no line.
CHECK_PACKAGES=(spin clang libclang-rt-14-dev llvm clang-format clang-tidy ccache)
COUNT_PACKAGES=(valgrind)  # callgrind, and the header to talk to it

SETUP=1  # --no-setup makes it 0

say() { printf '[%2d:%02d] %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$*"; }

stop() {  # stop CODE MESSAGE...
  local code="$1"
  shift
  printf '\n%s: %s\n' "$(basename "$0")" "$*" >&2
  exit "$code"
}

# run_step NAME TITLE COMMAND [ARG...]: stops the program if the command fails.
run_step() {
  local name="$1" title="$2" begin=$SECONDS code=0
  shift 2
  say "==> $name: $title"
  # A subshell with its own -e: inside `if` or `||` bash would ignore every failure but the last.
  set +e
  (
    set -e
    "$@"
  )
  code=$?
  set -e
  if ((code == EXIT_MACHINE)); then exit "$code"; fi
  if ((code != 0)); then
    stop "$EXIT_FAILED" "step '$name' failed (exit $code). To run it again:" \
      "$(rerun_command "$name")"
  fi
  # The last word may be the step's own, e.g. the summary of ctest.
  [[ "$name" == "${LAST_STEP-}" ]] || say "    $name: done in $((SECONDS - begin)) s"
}

# How to repeat one step; a program that has --only says it better.
rerun_command() { echo "$0"; }

job_count() {
  local jobs memory
  jobs="$(nproc)"
  # A heavy file takes about 1.5 GB to compile: fewer jobs rather than a machine that swaps.
  memory="$(awk '/^MemAvailable/ {print int($2 / 1572864)}' /proc/meminfo)"
  if ((memory < 1)); then memory=1; fi
  if ((memory < jobs)); then jobs=$memory; fi
  echo "${TASKVISOR_JOBS:-$jobs}"
}

is_installed() {
  [[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

# install_packages NAME...: installs what is missing and touches nothing else.
install_packages() {
  local package missing=() as_root=()
  if ((!SETUP)); then
    echo "set-up skipped (--no-setup)"
    return
  fi
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    stop "$EXIT_MACHINE" "this system has no apt; the set-up is written for Debian 12." \
      "Install the equivalents of: $*; then give --no-setup."
  fi
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then
    echo "all $# packages are installed"
    return
  fi
  echo "missing: ${missing[*]}"
  if ((EUID != 0)); then
    command -v sudo >/dev/null || stop "$EXIT_MACHINE" "packages are missing, and this is" \
      "neither root nor a machine with sudo. As root: apt-get install ${missing[*]}"
    as_root=(sudo)
    # Nobody is there to type a password.
    [[ -t 0 ]] || as_root=(sudo -n)
    "${as_root[@]}" true || stop "$EXIT_MACHINE" "packages are missing, and sudo refused." \
      "As root: apt-get install ${missing[*]}"
  fi
  echo "installing them with apt-get${as_root[0]:+ through sudo}"
  # One unreachable source need not matter; if it does, the installation says so.
  "${as_root[@]}" apt-get update -q -o Acquire::http::Timeout=20 \
    -o APT::Update::Error-Mode=any -o DPkg::Lock::Timeout=120 ||
    echo "apt-get update reported errors; trying to install all the same" >&2
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
    --no-install-recommends -o DPkg::Lock::Timeout=120 "${missing[@]}" ||
    stop "$EXIT_MACHINE" "apt-get could not install: ${missing[*]}. Its own message is above;" \
      "the usual reasons are no network and a system older than Debian 12."
}

# need_version PROGRAM MINIMUM VERSION
need_version() {
  [[ -n "$3" ]] || stop "$EXIT_MACHINE" "$1 was not found; version $2 or newer is needed."
  printf '%s\n' "$2" "$3" | sort -V -C ||
    stop "$EXIT_MACHINE" "$1 is version $3; version $2 or newer is needed (Debian 12 has it)."
  echo "$1 $3"
}

check_build_tools() {
  need_version cmake 3.25 "$(cmake --version 2>/dev/null | sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p')"
  need_version g++ 12 "$(g++ -dumpfullversion 2>/dev/null || true)"
  need_version ninja 1.10 "$(ninja --version 2>/dev/null || true)"
}

check_all_tools() {
  check_build_tools
  need_version clang++ 14 "$(clang++ -dumpversion 2>/dev/null || true)"
}
