#!/usr/bin/env bash
# What a change does, told in mesh-ci.md and mesh-ci.xml. `mesh new ci shell` wrote it; it is yours.
# It takes the branch that the change is to go into, by default origin/main, and the name of a branch of
# the mesh (pr-123) in which the products are made, where there is one; `--end NAME` when the change is
# merged or closed, which drops that branch.
set -euo pipefail
cd "$(dirname "$0")/.."
make setup
if [ "${1:-}" = --end ]; then
  exec .venv/bin/mesh branch drop --if-there "$2"
fi
set -- "${1:-origin/main}" "${2:-}"
if [ -n "$2" ]; then
  exec .venv/bin/mesh ci --since "$1" --branch "$2" --summary mesh-ci.md --junit mesh-ci.xml
fi
exec .venv/bin/mesh ci --since "$1" --summary mesh-ci.md --junit mesh-ci.xml
