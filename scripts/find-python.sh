#!/bin/sh
# Prints the path of a Python that can run pneumoscreen, or says in one sentence why there is none.
#
#   scripts/find-python.sh            looks for python3.13, python3.12, python3.11, python3 on PATH
#   PYTHON=/path/to/python scripts/find-python.sh    takes this one or fails
#
# Plain sh: it runs on Linux and macOS before anything is installed.
set -eu

WANTED='Python 3.11, 3.12 or 3.13'
# Running the candidate is the only proof: a version manager's shim may be on PATH without a Python behind it.
PROBE='import sys; print("%d.%d %d" % (sys.version_info[0], sys.version_info[1], sys.maxsize > 2**32))'

fail() {
    echo "pneumoscreen: $1" >&2
    exit 1
}

# "3.12 1" (version, 64 bit or not) of the Python $1, or nothing when it does not run.
probe() {
    "$1" -c "$PROBE" 2>/dev/null || true
}

# What is wrong with a Python that answered $1 to the probe; nothing when it will do.
complaint() {
    case "$1" in
        '3.11 1' | '3.12 1' | '3.13 1') ;;
        *' 0') echo 'is a 32-bit build, and PyTorch exists for 64-bit ones only' ;;
        2.* | '3.'[0-9]' '* | 3.10' '*) echo "is Python ${1% *}, which is too old" ;;
        *) echo "is Python ${1% *}, which is too new: PyTorch and the others are not tested with it" ;;
    esac
}

# Prints the Python $1 if it can make environments, else says what to install.
accept() {
    path=$(command -v "$1")
    "$path" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$path lacks the venv module; on Debian or Ubuntu run: apt-get install python3-venv (or python$2-venv)."
    echo "$path"
    exit 0
}

if [ -n "${PYTHON:-}" ]; then
    answer=$(probe "$PYTHON")
    [ -n "$answer" ] || fail "PYTHON=$PYTHON does not run; give the path of $WANTED."
    problem=$(complaint "$answer")
    [ -z "$problem" ] || fail "PYTHON=$PYTHON $problem; give the path of $WANTED."
    accept "$PYTHON" "${answer% *}"
fi

seen=''
for name in python3.13 python3.12 python3.11 python3; do
    answer=$(probe "$name")
    [ -n "$answer" ] || continue
    problem=$(complaint "$answer")
    [ -n "$problem" ] || accept "$name" "${answer% *}"
    seen="$(command -v "$name") $problem"
done
[ -z "$seen" ] || fail "$seen; install $WANTED, or name one: make install PYTHON=/path/to/python3.12"
fail "no Python found; install $WANTED, or name one: make install PYTHON=/path/to/python3.12"
