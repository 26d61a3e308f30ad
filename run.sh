#!/bin/sh
# One command for everything: see usage below, or ./run.sh --help.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
venv=${PERENNIAL_VENV:-$root/.venv}

usage() {
    cat <<'TEXT'
Perennial: a loyalty management portal

  ./run.sh [--reset] [--members N]   run the portal with demo data (5000 members unless N says otherwise);
                                     --reset starts afresh: demo and own data of the data folder are removed
  ./run.sh test [PYTEST ARGUMENTS]   run the tests, in parallel; for example: ./run.sh test tests/rewards -k expiry
  ./run.sh prove [NAME]              run the long proofs and benchmarks, or one of them
  ./run.sh manage COMMAND …          run a management command on the same data, with or without the portal running
  ./run.sh setup                     only install the packages
  ./run.sh --help                    this text

Needs Python 3.12 or 3.13; all else is installed into .venv and started from there.

Environment:
  PORT                     port of the portal (8000)
  HOST                     address it listens on (127.0.0.1; for others set ALLOWED_HOSTS too)
  PERENNIAL_HOME           data folder: database, queue, logs, passwords (.perennial)
  PERENNIAL_DEMO_PASSWORD  password of the demo accounts (generated and kept in the data folder)
  PERENNIAL_VENV           folder of the installed packages (.venv)
  DATABASE_URL             a PostgreSQL server to use instead of the embedded one
  DATABASE_OWNER_URL       the same as the role that owns the tables (DATABASE_URL)
  CELERY_BROKER_URL        a Redis or RabbitMQ server to use instead of the embedded one

Two copies run side by side with a PORT and a PERENNIAL_HOME each.
TEXT
}

# A fitting Python runs (a pyenv shim may exist and not run), is 3.12 or 3.13 with the usual lock on threads,
# and can make virtual environments.
fits() {
    "$1" -I -c '
import sys, sysconfig
sys.exit(not ((3, 12) <= sys.version_info[:2] <= (3, 13)) or bool(sysconfig.get_config_var("Py_GIL_DISABLED")))
' >/dev/null 2>&1
}
makes_environments() {
    "$1" -I -c 'import ensurepip, venv' >/dev/null 2>&1
}

find_python() {
    lacking=''
    pyenv=${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}
    for candidate in python3.13 python3.12 \
        "$pyenv"/versions/3.13.*/bin/python "$pyenv"/versions/3.12.*/bin/python \
        "${HOME:-/nonexistent}"/.pyenv/versions/3.13.*/bin/python "${HOME:-/nonexistent}"/.pyenv/versions/3.12.*/bin/python \
        python3; do
        if fits "$candidate"; then
            if makes_environments "$candidate"; then
                printf '%s\n' "$candidate"
                return 0
            fi
            lacking=$candidate
        fi
    done
    if [ -n "$lacking" ]; then
        echo "run.sh: $lacking can not make virtual environments. On Debian: apt-get install ${lacking##*/}-venv" >&2
    else
        echo 'run.sh: Python 3.12 or 3.13 is needed and was not found (looked for python3.13, python3.12,' >&2
        echo "        the versions under $pyenv, and python3). Install one of them and start again." >&2
    fi
    return 1
}

form=${1:-run}
case $form in
    -h | --help | help) usage; exit 0 ;;
    test | prove | manage | setup) shift ;;
    run) [ $# -eq 0 ] || shift ;;
    --reset | --members | --members=*) form=run ;;
    *) echo "run.sh: unknown command '$form'. ./run.sh --help tells what there is." >&2; exit 2 ;;
esac

if fits "$venv/bin/python"; then python=$venv/bin/python; else python=$(find_python); fi
"$python" -I "$root/config/trial/environment.py" "$venv"
[ "$form" != setup ] || exit 0
# -P: whatever lies in the present folder is not imported.
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" exec "$venv/bin/python" -P -m config.trial "$form" "$@"
