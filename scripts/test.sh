#!/usr/bin/env bash
# Installs what the tests need, builds, runs everything. The last line is 'N passed, N failed'.
#
#   scripts/test.sh            all of it: the end-to-end and differential runs on a real control plane included
#   scripts/test.sh --quick    what needs no cluster, built with sanitizers only, without the longest tests (under two minutes once it is built)
#
# With CI set, what failed is run once more when nothing else runs: if it passes then it counts, and is named as unsteady.
# A compiler cache keeps what a first run compiled. JOBS sets how many end-to-end tests (6) and scenarios (4) run at a time: they mostly wait.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"

quick=''
case ${1-} in
  '') ;;
  --quick) quick=1 ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac
again=${CI:+--again}
cd "$top"
mkdir -p build/logs
RESULTS=$top/build/results
export RESULTS
: >"$RESULTS"

note() { # pass|fail GROUP NAME
  printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$RESULTS"
}

# step GROUP NAME COMMAND...: a step that counts as one test.
step() {
  local group=$1 name=$2
  shift 2
  if "$@"; then note pass "$group" "$name"; else note fail "$group" "$name"; fi
}

# unit_tests GROUP PRESET COMMAND...: runs ctest so and counts each of its tests.
unit_tests() {
  local group=$1 report=$top/build/junit-$2.xml log=ctest-$2
  shift 2
  rm -f "$report"
  run_logged "$log" "$@" --output-junit "$report" >/dev/null 2>&1 || true
  if [ -s "$report" ]; then
    "$PYTHON" scripts/lib/results.py junit "$group" "$report" || true
    if [ -n "$again" ]; then
      sed -n '/\*\*\*Skipped/d; s/^.*Test *#[0-9]*: .*\*\*\*.*$/not at first: &/p' "build/logs/$log.log"
    fi
  else
    tail -n 30 "build/logs/$log.log"
    note fail "$group" "ctest did not run"
  fi
}

install_packages "${BUILD_PACKAGES[@]}" binutils ccache clang-format git-secret gnupg groff-base nginx-light openssh-server openssl procps shellcheck util-linux
if [ -z "$quick" ]; then
  install_packages clang-tidy docker-registry kubernetes-client memcached prometheus valgrind
fi
find_python
find_go
find_sops
if [ -z "$quick" ]; then
  build_playground
  export SERIN_CONTROLPLANE=$PLAYGROUND # for unit tests that want a real server; without it they are skipped
fi

# What compiles and what only computes, beside the tests that need none of it, which mostly wait.
compile_the_rest() {
  local room targets=()
  for room in src/*/CMakeLists.txt; do
    targets+=("${room%/CMakeLists.txt}/all")
  done
  step build release build_serin release "${targets[@]}" # the end-to-end test of the playground waits for it
  renice -n 19 -p "$BASHPID" >/dev/null
  step build tsan build_serin tsan threads
  step build "tests of the playground" run_logged playground-tests compile_playground_tests
  step build memcheck build_serin memcheck parsers
  unit_tests "parsers (Valgrind)" memcheck ctest --test-dir build/memcheck -L parsers -j"$(nproc)"
  "$PYTHON" tests/checks/tidy.py --build build/release --seconds 60 --results "$RESULTS" || true
}

playground_tests=$top/build/playground-tests
playground_packages=(faults kubelet dataplane tools)

# They are compiled as the program is, or Go would compile Kubernetes' client once more.
compile_playground_tests() (
  cd deploy/playground
  rm -rf "$playground_tests"
  mkdir -p "$playground_tests"
  local flags=(-mod=readonly -trimpath)
  go vet "${flags[@]}" "${playground_packages[@]/#/./}" && go test "${flags[@]}" -ldflags=-s -c -o "$playground_tests/" "${playground_packages[@]/#/./}"
)

run_playground_tests() {
  local name log=build/logs/playground-test.json
  : >"$log"
  for name in "${playground_packages[@]}"; do
    [ -x "$playground_tests/$name.test" ] || continue # one that has no tests
    (cd "deploy/playground/$name" && go tool test2json -p "serin.dev/playground/$name" "$playground_tests/$name.test" -test.v=test2json \
      -test.paniconexit0 -test.timeout=5m) >>"$log" 2>&1 || true
  done
  "$PYTHON" scripts/lib/results.py go playground "$log" || tail -n 30 "$log"
}

say "building with sanitizers (build/asan)"
step build asan build_serin asan
if [ -z "$quick" ]; then
  say "beside the next steps: building as shipped (build/release), for ThreadSanitizer and for the playground; parsers under Valgrind; clang-tidy"
  compile_the_rest >build/logs/rest.log 2>&1 &
  rest=$!
fi

check_the_house() {
  "$PYTHON" tests/checks/checks.py --results "$RESULTS" text || true
  "$PYTHON" scripts/lib/results.py unittest "tests of the checks" tests/checks || true
}

# Unit tests make and remove thousands of small files: a directory in memory, if there is room for them and programs may be run from there.
make_scratch() {
  scratch=''
  if [ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] && [ "$(df --output=avail -k /dev/shm | tail -n 1)" -gt 2097152 ]; then
    scratch=$(mktemp -d /dev/shm/serin-tests-XXXXXX)
    trap 'rm -rf "$scratch"' EXIT
    chmod 1777 "$scratch" # some tests are of other users
    printf '#!/bin/sh\n' >"$scratch/probe"
    chmod +x "$scratch/probe"
    "$scratch/probe" 2>/dev/null || scratch=''
  fi
}

if [ -n "$quick" ]; then
  say "unit tests, without the long explorations of models; beside them the checks of the house"
  make_scratch
  check_the_house >build/logs/checks.log 2>&1 &
  checks=$!
  unit_tests unit asan env ${scratch:+"TMPDIR=$scratch"} ctest --test-dir build/asan -j6 -E '^canary_(model|router_laws)$' ${again:+--repeat until-pass:2}
  wait "$checks" || true
  cat build/logs/checks.log
else
  say "unit tests"
  unit_tests unit asan ctest --test-dir build/asan -j4 ${again:+--repeat until-pass:2}
  say "checks of the house"
  check_the_house
fi

if [ -z "$quick" ]; then
  say "end-to-end tests"
  "$PYTHON" tests/e2e/run.py --playground "$PLAYGROUND" --serin build/asan/src/cmd/serin --jobs "${JOBS:-6}" --results "$RESULTS" ${again:+"$again"} || true
  say "waiting for what was built beside them"
  wait "$rest" || true
  cat build/logs/rest.log
  "$PYTHON" tests/checks/checks.py --results "$RESULTS" objects || true # they read what the release build left
  say "threads under ThreadSanitizer; beside them and what follows: scenarios of canaries, which mostly wait"
  tests/differential/run_canary.sh --playground "$PLAYGROUND" --serin build/release/src/cmd/serin --results "$RESULTS" ${again:+"$again"} \
    >build/logs/differential-canary.log 2>&1 &
  canaries=$!
  # gcc's TSan does not know where a kernel that spreads addresses widely puts things; where that cannot be turned off it may be fine.
  straight=()
  if setarch -R true 2>/dev/null; then
    straight=(setarch -R)
  fi
  unit_tests "threads (TSan)" tsan env -u SERIN_CONTROLPLANE "${straight[@]}" ctest --test-dir build/tsan -L threads -j4 ${again:+--repeat until-pass:2}
  say "tests of the playground"
  run_playground_tests
  say "scenarios of sync and releases"
  tests/differential/run.sh --playground "$PLAYGROUND" --serin build/release/src/cmd/serin --jobs "${JOBS:-4}" --results "$RESULTS" ${again:+"$again"} || true
  wait "$canaries" || true
  grep -E -A60 '^(DIFFERENT|FAIL|allows|canary.py)' build/logs/differential-canary.log | head -n 200 || true
  tail -n 1 build/logs/differential-canary.log
fi

say "done"
"$PYTHON" scripts/lib/results.py count "$RESULTS"
