#!/bin/sh
# Installs PostgreSQL where it is missing and may be installed; says in one line what to do where not.
set -eu
command -v initdb >/dev/null 2>&1 && exit 0
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing PostgreSQL (once) ..."
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null && exit 0
fi
echo "make: PostgreSQL is needed here; install it (Debian, Ubuntu: apt-get install postgresql)" >&2
exit 2
