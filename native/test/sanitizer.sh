#!/bin/sh
# The native tests under AddressSanitizer and UndefinedBehaviorSanitizer, beside what else runs: `./ewc4j test -Psanitizer`.
#
#   native/test/sanitizer.sh start FOLDER   begins to build in FOLDER and to test, at the lowest priority, and returns
#   native/test/sanitizer.sh await FOLDER   waits for the end, and ends as the tests did
#
# The Java tests leave most of a second core idle. Whoever called `start` must live on: the work ends with it.
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
step=$1 build=$2

build_and_test() {
    cmake -S "$root/cmake" -B "$build" -DEWC_SANITIZE=ON -DEWC_BUILD_TESTS=ON -DEWC_CUDA=OFF &&
        cmake --build "$build" --parallel "$(nproc)" &&
        ctest --test-dir "$build" --output-on-failure --no-tests=error --parallel "$(nproc)"
}

case $step in
    start)
        mkdir -p "$build"
        rm -f "$build/result"
        setsid nice -n 19 sh "$0" run "$build" "$PPID" >"$build/log" 2>&1 </dev/null &
        echo $! >"$build/pid"
        ;;
    run)
        caller=$3
        build_and_test &
        work=$!
        while kill -0 "$work" 2>/dev/null; do
            kill -0 "$caller" 2>/dev/null || kill -- -$$ # setsid made this a group of its own
            sleep 1
        done
        wait "$work"
        echo $? >"$build/result.new"
        mv "$build/result.new" "$build/result"
        ;;
    await)
        while [ ! -f "$build/result" ] && kill -0 "$(cat "$build/pid")" 2>/dev/null; do
            sleep 1
        done
        if [ "$(cat "$build/result" 2>/dev/null)" = 0 ]; then
            tail -n 3 "$build/log"
        else
            cat "$build/log"
            echo "the native tests under sanitizers failed; the log is $build/log" >&2
            exit 1
        fi
        ;;
    *)
        exit 2
        ;;
esac
