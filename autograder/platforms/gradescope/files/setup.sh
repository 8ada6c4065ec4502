#!/usr/bin/env bash
# Run once by Gradescope, as root, when it builds the image in which submissions are graded.
set -euo pipefail
umask 022 # submissions run as a user of their own, who has to be able to read the libraries
root="${AUTOGRADER_ROOT:-/autograder}"
chmod 600 "$root/source/exercises.bin"

find_python() { # one that the autograder runs on and that can make environments
  for python in python3.13 python3.12 python3.11 python3; do
    if "$python" -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
      return
    fi
  done
  return 1
}

if ! find_python; then
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 python3-venv python3-pip
  if ! find_python; then # the system's own Python is too old; uv brings another
    python3 -m venv "$root/uv"
    "$root/uv/bin/python" -m pip install --quiet uv
    export UV_PYTHON_INSTALL_DIR="$root/python" # not in root's home, which is closed to others
    "$root/uv/bin/uv" python install 3.12
    python="$("$root/uv/bin/uv" python find --managed-python 3.12)"
  fi
fi
"$python" "$root/source/install.py" "$root/venv"
