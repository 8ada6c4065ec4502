"""Make sure that there is a Chromium for the tests that click through pages. Used by `make test`.

The system's, if it has one; else Debian's package where we may install it; else the one that playwright downloads.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SECONDS = 600  # for one attempt: a mirror that does not answer must not hold up everything


def succeeds(command: list[str]) -> bool:
    print(f"get_browser: {' '.join(command)}", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        return subprocess.run(command, env=quiet, stdout=subprocess.DEVNULL, timeout=SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def main() -> int:
    if any(map(shutil.which, NAMES)):
        return 0
    attempts = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        succeeds(["apt-get", "update", "-qq"])  # a package may be known without it
        attempts.insert(0, ["apt-get", "install", "-y", "-qq", "chromium"])
    if any(map(succeeds, attempts)):
        return 0
    print(
        "get_browser: no Chromium could be installed; install one, or set AUTOGRADER_TESTS_NO_BROWSER=1 to skip "
        "the tests that need it"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
