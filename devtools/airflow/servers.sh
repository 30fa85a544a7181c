#!/bin/sh
# Installs PostgreSQL and Redis where they are missing and may be installed; says in one line what to do where not.
set -eu

missing=
command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="postgresql"
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing $missing (once) ..."
  # shellcheck disable=SC2086
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing >/dev/null && exit 0
fi
echo "make: PostgreSQL and Redis are needed here; install them (Debian, Ubuntu: apt-get install $missing)" >&2
exit 2
