#!/bin/sh
# Makes .venv hold exactly what requirements.lock names, and this project itself in editable form.
#
# Called by `make`, from the project's root. Does nothing when the lock, pyproject.toml, the Python and
# the place of the project are those of the last finished set-up. An interrupted set-up is begun anew.
# uv installs where it can; pip does where uv cannot be had or fails. No tool downloads a Python, and
# neither pip's nor uv's own configuration is changed. PYTHON=... chooses the interpreter.
set -eu

VENV=.venv
STAMP=$VENV/setup.complete
RUNNING=.venv.setup # locked while a set-up is under way, empty when the last one ended well
LOCK=requirements.lock
WAIT_S=900
NONE="no python3 was found"

export UV_PYTHON_DOWNLOADS=never PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_USER=0
unset PYTHONHOME

say() { printf '[setup] %s\n' "$*" >&2; }
stop() {
    say "$*"
    exit 1
}

# --- which Python ---------------------------------------------------------------------------------

# Prints "fit" or what is wrong with an interpreter; fails when it cannot be run.
assess() {
    "$1" - 2>/dev/null <<'PY'
import importlib.util
import sys

version = "%d.%d" % sys.version_info[:2]
needed = ("venv", "ensurepip", "_ssl", "_sqlite3", "_ctypes")
missing = [name for name in needed if importlib.util.find_spec(name) is None]
if sys.implementation.name != "cpython":
    print("is", sys.implementation.name)
elif not (3, 11) <= sys.version_info[:2] < (3, 15):
    print("is", version)
elif missing[:1] in (["venv"], ["ensurepip"]):
    print("is %s without venv (on Debian or Ubuntu: apt-get install python3-venv)" % version)
elif missing:
    print("is %s built without %s" % (version, missing[0].lstrip("_")))
else:
    print("fit")
PY
}

# Sets CHOSEN to the first suitable interpreter, or ends with one sentence.
choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3 python3.14 python3.13 python3.12 python3.11
    fi
    why=$NONE
    for candidate in "$@"; do
        verdict=$(assess "$candidate") || continue
        if [ "$verdict" = fit ]; then
            CHOSEN=$candidate
            return
        fi
        case "$why$verdict" in
        "$NONE"* | *" without "*) why="$candidate $verdict" ;;
        esac
    done
    if [ -n "${PYTHON:-}" ] && [ "$why" = "$NONE" ]; then
        why="PYTHON=$PYTHON does not run"
    fi
    stop "Python 3.11 to 3.14 with its venv module is needed and $why: install one, or name one with make PYTHON=/path/to/python3.12"
}

# --- what the environment must match --------------------------------------------------------------

version_of() { "$1" -c 'import sys; print(sys.version)' 2>/dev/null; }

same_python() { [ -z "${PYTHON:-}" ] || [ "$(version_of "$PYTHON")" = "$(version_of "$VENV/bin/python")" ]; }

fingerprint() {
    cat "$LOCK" pyproject.toml scripts/setup.sh | cksum
    pwd
    version_of "$VENV/bin/python" || echo "no interpreter"
}

up_to_date() { [ -f "$STAMP" ] && [ "$(fingerprint)" = "$(cat "$STAMP")" ] && same_python; }

usable() {
    [ -d "$VENV" ] && [ "$(assess "$VENV/bin/python")" = fit ] && same_python &&
        "$VENV/bin/python" -m pip --version >/dev/null 2>&1
}

create() {
    choose_python
    say "creating $VENV with $CHOSEN, Python $(version_of "$CHOSEN" | cut -d ' ' -f 1)"
    "$CHOSEN" -m venv --clear "$VENV" ||
        stop "$CHOSEN could not create $VENV: see the message above, mend it and run make again"
}

# One set-up at a time: the kernel holds the lock of descriptor 9 until this shell and whatever it has
# started have ended, however they end. Sets INTERRUPTED when an earlier set-up was killed.
claim() {
    if usable; then locker=$VENV/bin/python; else choose_python && locker=$CHOSEN; fi
    exec 9<>"$RUNNING" || stop "this folder cannot be written to: $(pwd)"
    "$locker" - "$WAIT_S" <<'PY' || stop "another set-up in this folder has not ended: end it and run make again"
import fcntl
import sys
import time

deadline = time.monotonic() + float(sys.argv[1])
told = False
while True:
    try:
        fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
        break
    except BlockingIOError:
        if not told:
            print("[setup] another set-up is under way in this folder: waiting for it", file=sys.stderr)
        told = True
        if time.monotonic() > deadline:
            sys.exit(1)
        time.sleep(0.5)
PY
    INTERRUPTED=
    if [ -s "$RUNNING" ]; then INTERRUPTED=yes; fi
}

# --- installing -----------------------------------------------------------------------------------

# Exports pip's own view of its configuration (files and environment) as the variables uv reads.
adopt_pip_configuration() {
    settings=$("$VENV/bin/python" - 2>/dev/null <<'PY'
import os
import shlex

from pip._internal.commands import create_command

options, _ = create_command("install").parse_args([])
as_uv_reads_it = {
    "UV_DEFAULT_INDEX": options.index_url if options.index_url != "https://pypi.org/simple" else "",
    "UV_INDEX": " ".join(options.extra_index_urls or []),
    "UV_FIND_LINKS": ",".join(options.find_links or []),
    "no_index": "yes" if options.no_index else "",
    "UV_INSECURE_HOST": " ".join(options.trusted_hosts or []),
    "SSL_CERT_FILE": options.cert or "",
    "UV_SYSTEM_CERTS": "" if options.cert else "1",
    "HTTPS_PROXY": options.proxy or "",
    "UV_INDEX_STRATEGY": "unsafe-best-match",  # pip's; what is accepted is decided by the hashes of the lock
}
for name, value in as_uv_reads_it.items():
    if value and name not in os.environ:
        print(f"export {name}={shlex.quote(value)}")
PY
    ) || settings=
    no_index=
    eval "$settings"
}

install_with_uv() (
    set -e
    awk '/^[^ ]/ { wanted = /^uv==/ } wanted' "$LOCK" >"$VENV/uv.lock.txt"
    "$VENV/bin/python" -m pip install --quiet --require-hashes -r "$VENV/uv.lock.txt"
    adopt_pip_configuration
    if [ -t 2 ]; then quiet=; else quiet=--quiet; fi
    "$VENV/bin/uv" pip sync $quiet ${no_index:+--no-index} --python "$VENV/bin/python" --require-hashes "$LOCK"
    say "installing this project"
    "$VENV/bin/uv" pip install $quiet ${no_index:+--no-index} --python "$VENV/bin/python" --no-deps --editable .
)

install_with_pip() (
    set -e
    "$VENV/bin/python" -m pip install --no-deps --require-hashes -r "$LOCK"
    say "installing this project"
    "$VENV/bin/python" -m pip install --quiet --no-deps --editable .
)

install() {
    say "installing $(grep -c '^[^ ].*==' "$LOCK") locked packages (a minute or more the first time)"
    set +e # the subshells keep their own set -e, which an `if` around them would switch off
    install_with_uv
    status=$?
    if [ $status -ne 0 ]; then
        say "uv cannot install here (see above): pip does it instead, which takes longer"
        install_with_pip
        status=$?
    fi
    set -e
    [ $status -eq 0 ] ||
        stop "the packages could not be installed: see above, check that pip reaches its package index, and run make again"
}

# Byte code of what `bess` and the tests import: pip leaves it behind, uv does not, and where Python is told to
# write none itself every command would compile 5,000 files anew. Nothing depends on it: a failure is no failure.
compile_imports() {
    say "compiling"
    (cd / && PYTHONDONTWRITEBYTECODE='' "$OLDPWD/$VENV/bin/python" -W ignore -c \
        'import bess_pipeline.commands.run, bess_pipeline.commands.ui, bess_pipeline.sample_market.server, dagster_webserver.app, hypothesis, pytest') \
        >/dev/null 2>&1 || true
}

if [ ! -s "$RUNNING" ] && up_to_date; then exit 0; fi
claim
if [ -z "$INTERRUPTED" ] && up_to_date; then exit 0; fi
trap 'say "interrupted: the next make begins anew"; exit 130' INT TERM HUP
echo running >"$RUNNING"
if [ -n "$INTERRUPTED" ]; then say "the last set-up did not finish: beginning anew"; fi
if [ -n "$INTERRUPTED" ] || ! usable; then create; fi
rm -f "$STAMP"
install
compile_imports
fingerprint >"$STAMP"
: >"$RUNNING"
say "ready: $VENV/bin/bess --help says what can be done"
