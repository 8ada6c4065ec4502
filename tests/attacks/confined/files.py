"""Files: read a hidden test, a solution, another student's work or the grader's memory; leave something for later.

The namespaces show a root with the interpreter's libraries alone, Landlock allows reading those alone, and nothing can be
written. Either of the two is enough.
"""

from __future__ import annotations


def _reads(path: str) -> str:
    return f"def attack():\n    with open({path!r}, 'rb') as file:\n        return len(file.read(10)) > 0\n"


UNREADABLE = (PermissionError, FileNotFoundError)

ATTACKS = {
    "a file of the repository": (_reads("{secret}"), UNREADABLE),
    "the solutions": ("import os\ndef attack():\n    return os.listdir('{repository}/tests')\n", UNREADABLE),
    "the package's other rooms": (
        "import os\ndef attack():\n    return os.listdir('{repository}/autograder')\n",
        (*UNREADABLE, lambda names: set(names) <= {"__init__.py", "guest", "remote", "sandbox"}),
    ),
    "the password file": (_reads("/etc/passwd"), UNREADABLE),
    "the environment of process 1": (_reads("/proc/1/environ"), UNREADABLE),
    "its own memory map": (_reads("/proc/self/maps"), UNREADABLE),
    "the memory of its parent": (
        "import os\ndef attack():\n    return open(f'/proc/{os.getppid()}/mem', 'rb').read(1)\n",
        UNREADABLE,
    ),
    "the grader's command line": (_reads("/proc/{grader}/cmdline"), UNREADABLE),
    "a relative path out": (_reads("/usr/lib/../../{secret}"), UNREADABLE),
    "a link to a secret": (
        "import os\ndef attack():\n    os.symlink('{secret}', '/tmp/link')\n    return open('/tmp/link').read(1)\n",
        (OSError,),
    ),
    "writing to /tmp": ("def attack():\n    open('{loot}', 'w').write('x')\n", (OSError,)),
    "writing to the libraries": (
        "import os\ndef attack():\n    open(os.__file__, 'a').write('#')\n",
        (OSError,),
    ),
    "truncating by a read": (
        "import os\ndef attack():\n    os.open(os.__file__, os.O_RDONLY | os.O_TRUNC)\n",
        (OSError,),
    ),
    "writing to shared memory": ("def attack():\n    open('/dev/shm/x', 'w').write('x')\n", (OSError,)),
    "making a directory": ("import os\ndef attack():\n    os.mkdir('/tmp/d')\n", (OSError,)),
    "a temporary file": ("import tempfile\ndef attack():\n    tempfile.TemporaryFile()\n", (OSError,)),
    "an installed copy of this program": (
        "def attack():\n    import autograder.grading\n",
        (ImportError, PermissionError),
    ),
}
