#!/bin/sh
# Creates .venv with the project, Airflow and the tools of the tests, once; says in one line what is missing.
# Usage: devtools/environment.sh <python> <airflow version> [<directory, if not .venv>]
set -eu
python=$1 airflow=$2 venv=${3:-.venv}
cd "$(dirname "$0")/.."
constraints=constraints/airflow-$airflow.txt

complain() { echo "make: $1" >&2; exit 2; }

command -v "$python" >/dev/null 2>&1 || complain "no '$python' here; name one: make PYTHON=/path/to/python3.11"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) \
  || complain "'$python' does not run; name another: make PYTHON=/path/to/python3.11"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
  || complain "Python 3.10 or newer is needed, '$python' is $version; name another: make PYTHON=/path/to/python3.11"

stamp=$venv/installed-for
wanted="python $version, airflow $airflow, $(cat pyproject.toml "$constraints" | cksum)"
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && [ -x "$venv/bin/python" ] && exit 0

echo "Setting up $venv: Python $version, Airflow $airflow (once; a minute or two) ..."
rm -f "$stamp"
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')"
then
  "$python" -m venv --clear "$venv" >/dev/null 2>&1 \
    || complain "'$python -m venv' does not work; install it (Debian, Ubuntu: apt-get install python3-venv)"
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c "$constraints" "apache-airflow==$airflow" -e '.[dev]'
echo "$wanted" > "$stamp"
