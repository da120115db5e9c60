# Sourced by tools/start and tools/test: finds Python 3.11 or newer and a virtual environment, and
# installs qcowspec into it. Sets $python. An active virtual environment is used as it is; otherwise
# .venv is made.

cd "$(dirname "$0")/.." || exit 1

say() { printf '%s\n' "$*" >&2; }

# as_root COMMAND…: run as root if that is possible without asking anybody.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then sudo "$@"
    else return 1; fi
}

# need_package COMMAND PACKAGE WHY: install a Debian package unless its command works already.
need_package() {
    sh -c "$1" >/dev/null 2>&1 && return 0
    say "Installing $2 ($3) …"
    if command -v apt-get >/dev/null 2>&1; then
        as_root apt-get install -y -q "$2" >/dev/null 2>&1 && return 0
        as_root apt-get update -q >/dev/null 2>&1 && as_root apt-get install -y -q "$2" >/dev/null && return 0
    fi
    say "$2 is missing ($3), and cannot be installed from here. Please run: sudo apt-get install $2"
    exit 1
}

find_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return 0
    done
    say "qcowspec needs Python 3.11 or newer; this machine has $(python3 --version 2>&1)."
    exit 1
}

find_python
if [ -n "${VIRTUAL_ENV:-}" ]; then
    python="$VIRTUAL_ENV/bin/python"
else
    python=".venv/bin/python"
    if [ ! -x "$python" ]; then
        # Debian ships venv and ensurepip apart from Python itself.
        need_package "$candidate -c 'import venv, ensurepip'" \
            "$("$candidate" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" \
            "Python's own virtual environments"
        "$candidate" -m venv .venv || exit 1
    fi
fi

# install EXTRA: install qcowspec, in place, with an extra's requirements; quiet unless it fails.
install() {
    "$python" -m pip install --quiet --disable-pip-version-check --editable ".$1" || {
        say "pip could not install qcowspec's requirements; its words stand above."
        exit 1
    }
    # An editable install is compiled by nobody where PYTHONDONTWRITEBYTECODE is set.
    "$python" -m compileall -q qcowspec generated formats
}
