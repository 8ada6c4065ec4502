"""Classroom 50's `autograder.py`: it runs in a checkout of the student's repository and leaves a result.json there.

Uploaded by the instructor together with nothing else. Public tests only: what runs beside a student's code is no secret.
"""

import subprocess
import sys
from pathlib import Path

AUTOGRADER = Path(".venv/bin/autograder")

subprocess.run([sys.executable, "install.py", ".venv"], check=True)
done = subprocess.run([AUTOGRADER, "ci-report", "--github", "--classroom50", "result.json"])
sys.exit(0 if done.returncode == 1 else done.returncode)  # missing points are a result, not a breakdown
