#!/usr/bin/env bash
# What a change does, told in mesh-ci.md and mesh-ci.xml. `mesh new ci shell` wrote it; it is yours.
# It takes the branch that the change is to go into, by default origin/main.
set -euo pipefail
cd "$(dirname "$0")/.."
make setup
exec .venv/bin/mesh ci --since "${1:-origin/main}" --summary mesh-ci.md --junit mesh-ci.xml
