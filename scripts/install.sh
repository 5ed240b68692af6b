#!/bin/sh
# Makes .venv with exactly the versions of requirements.lock, and the project itself in editable form.
#
# uv does the work: with 5 GB of packages it takes seconds where pip takes minutes, and its cache is hard-linked
# into each new environment. pip is used once, to fetch the pinned uv. Both trust the certificates that this system
# trusts, a site's own authority among them; SSL_CERT_FILE names another file of them.
set -eu

: "${VENV:?}" "${UV_VERSION:?}"

say() {
    echo "==> $1"
}

python=$("$(dirname "$0")/find-python.sh")
say "using $("$python" --version) at $python"

# uv and a recent pip ask the system; a pip before 24.2 knows only the certificates that it carries.
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}"
for bundle in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
    [ -z "${PIP_CERT:-}" ] && [ -r "$bundle" ] && export PIP_CERT="$bundle"
done

# An environment whose Python has gone, that was moved here from elsewhere, or that has another PyTorch, is made anew
# rather than mended.
torch=${TORCH:-}
if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1 || ! grep -qF "$PWD/$VENV" "$VENV/bin/activate" ||
    [ "$torch" != "$(cat "$VENV/.torch" 2>/dev/null)" ]; then
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
# As constraints and not as a list: a PyTorch without CUDA does not want the CUDA packages that are in the lock.
"$VENV/bin/uv" pip install --python "$VENV/bin/python" --requirements pyproject.toml --all-extras \
    --constraints requirements.lock ${torch:+--torch-backend "$torch"}
say 'installing pneumoscreen'
"$VENV/bin/uv" pip install --python "$VENV/bin/python" --no-deps --build-constraints requirements.lock --editable .
printf '%s' "$torch" >"$VENV/.torch"
say "done: $VENV/bin/pneumoscreen"
