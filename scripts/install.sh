#!/bin/sh
# Makes .venv with exactly the versions of requirements.lock, and the project itself in editable form.
#
# uv does the work: with 5 GB of packages it takes seconds where pip takes minutes, and its cache is hard-linked
# into each new environment. pip is used once, to fetch the pinned uv.
set -eu

: "${VENV:?}" "${UV_VERSION:?}"

say() {
    echo "==> $1"
}

python=$("$(dirname "$0")/find-python.sh")
say "using $("$python" --version) at $python"

# An environment whose Python has gone, or that was moved here from elsewhere, is made anew rather than mended.
if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1 || ! grep -qF "$PWD/$VENV" "$VENV/bin/activate"; then
    say "making $VENV"
    "$python" -m venv --clear "$VENV"
fi
if [ "$("$VENV/bin/uv" --version 2>/dev/null | cut -d' ' -f2)" != "$UV_VERSION" ]; then
    say "fetching uv $UV_VERSION"
    "$VENV/bin/python" -m pip install --disable-pip-version-check "uv==$UV_VERSION"
fi

# uv would otherwise pick up an environment that happens to be active in the caller's shell.
unset VIRTUAL_ENV CONDA_PREFIX
say 'installing the packages of requirements.lock (PyTorch is several GB on Linux; the next time they come from a cache)'
"$VENV/bin/uv" pip install --python "$VENV/bin/python" --requirements requirements.lock
say 'installing pneumoscreen'
"$VENV/bin/uv" pip install --python "$VENV/bin/python" --no-deps --build-constraints requirements.lock --editable .
say "done: $VENV/bin/pneumoscreen"
