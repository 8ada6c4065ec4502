"""Make sure that there is a Chromium for the tests that click through pages. Used by `make test`.

The system's, if it has one; else Debian's package where we may install it; else the one that playwright downloads.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def main() -> int:
    if any(map(shutil.which, NAMES)):
        return 0
    attempts = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=quiet)
        attempts.insert(0, ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"])
    for command in attempts:
        print(f"get_browser: {' '.join(command)}", flush=True)
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0:
            return 0
    print(
        "get_browser: no Chromium could be installed; install one, or set AUTOGRADER_TESTS_NO_BROWSER=1 to skip "
        "the tests that need it"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
