#!/bin/sh
# Each file of /run/secrets becomes the variable of its name, for the command alone.
set -eu
for secret in /run/secrets/*; do
  [ -f "$secret" ] || continue
  value=$(cat "$secret")
  export "$(basename "$secret")=$value"
done
exec "$@"
