"""Make a virtual environment and install the autograder into it, with a CPU build of torch.

    python3 install.py .venv            what requirements.txt, beside this file, asks for
    python3 .../install.py .venv dev    in a clone of the project: the clone itself, with one of its extras

On Linux the package index's own torch comes with gigabytes of CUDA libraries. This script looks at what pip would take:
a CPU build is installed as it is; otherwise uv, which knows where torch's CPU builds are published, installs one.
Standard library only, because nothing is installed yet.
"""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

TORCH = "torch==2.13.0"
SUPPORTED = ((3, 11), (3, 14))
ACCELERATOR_PACKAGES = ("nvidia-", "cuda-", "triton", "pytorch-triton")
HERE = Path(__file__).resolve().parent


def run(*command: str) -> None:
    """Run a command, showing what it prints; stop here with its status if it fails."""
    done = subprocess.run(command)
    if done.returncode:
        sys.exit(f"install: {' '.join(command)} failed (status {done.returncode}); see above")


def brings_accelerator(report: dict) -> bool:
    """Whether pip's report on torch lists packages for a GPU among its requirements."""
    metadata = report["install"][0]["metadata"]
    required = [name.lower() for name in metadata.get("requires_dist", [])]
    return any(name.startswith(ACCELERATOR_PACKAGES) for name in required if "extra ==" not in name)


def install_torch(python: str) -> None:
    """Install a CPU build of torch, unless one is there."""
    if subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0:
        return
    asked = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps", "--report", "-", TORCH],
        capture_output=True,
        text=True,
    )
    if asked.returncode:
        sys.exit(f"install: pip finds no {TORCH} for this Python and system:\n{asked.stderr}")
    report = json.loads(asked.stdout)
    if sys.platform.startswith("linux") and brings_accelerator(report):
        run(python, "-m", "pip", "install", "--quiet", "uv")
        run(python, "-m", "uv", "pip", "install", "--python", python, "--torch-backend", "cpu", TORCH)
    else:
        run(python, "-m", "pip", "install", "--quiet", TORCH)


def install(python: str, extra: str) -> None:
    """Install the requirements beside this file, or the clone that this file lies in."""
    pip = (python, "-m", "pip", "install", "--quiet")
    if (HERE / "requirements.txt").is_file():
        os.chdir(HERE)  # the requirements name the wheel beside them
        run(*pip, "-r", "requirements.txt")
    else:
        clone = next(folder for folder in HERE.parents if (folder / "pyproject.toml").is_file())
        run(*pip, "-c", str(clone / "constraints.txt"), "-e", f"{clone}[{extra}]")


def main(folder: str = ".venv", extra: str = "instructor") -> None:
    """Create the environment at `folder` and install into it."""
    if not SUPPORTED[0] <= sys.version_info[:2] < SUPPORTED[1]:
        sys.exit(
            f"install: Python 3.11, 3.12 or 3.13 is needed, this is {sys.version.split()[0]}; use another python3"
        )
    target = Path(folder).resolve()
    scripts = target / ("Scripts" if sys.platform == "win32" else "bin")
    python = str(scripts / "python")
    if not Path(python).exists() and not Path(python + ".exe").exists():
        print(f"install: making {target}", flush=True)
        try:
            venv.create(target, with_pip=True)
        except subprocess.CalledProcessError:
            sys.exit(
                "install: this Python can't make environments; install its venv package (Debian: python3-venv)"
            )
    print(f"install: installing into {target} (a few minutes the first time)", flush=True)
    install_torch(python)
    install(python, extra)


if __name__ == "__main__":
    main(*sys.argv[1:])
