#!/bin/sh
# An environment of its own for Flink jobs: install.sh FOLDER. Needs Python 3.11, a JRE of 17 and Maven, which asks
# the repository that the machine's own settings name.
set -eu
here="$(cd "$(dirname "$0")" && pwd)"
folder="$1"
"${PYTHON:-python3.11}" -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check --require-hashes --no-deps --no-compile \
  -r "$here/requirements.lock"
lib="$("$folder/bin/python" -c 'import pathlib, pyflink; print(pathlib.Path(pyflink.__file__).parent / "lib")')"
mvn --quiet --batch-mode --file "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
  -DoutputDirectory="$lib"
