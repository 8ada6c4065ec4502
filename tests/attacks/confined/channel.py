"""Channel: answer early, twice, or what was never asked; send bytes that are no frame.

A frame can only be the answer to the pending call, whose number can't be guessed before; whatever else comes ends the child.
"""

from __future__ import annotations

from autograder.sandbox.errors import Blocked, Ended, TimedOut

FORGE = """
import os, struct, sys
msgspec = sys.modules["msgspec"]  # to import it is refused
def frame(header, size=0, length=None):
    packed = msgspec.msgpack.encode(header)
    os.write(3, struct.pack("<IQ", length or len(packed), size) + packed)
"""

ATTACKS = {
    "answering ahead of time": (FORGE + "frame(['rt', 1, 1])\ndef attack():\n    return 1\n", (Blocked,)),
    "a second answer": (
        FORGE + "import atexit, threading, time\n"
        "def later():\n    time.sleep(0.2)\n    frame(['rt', 1, 1])\n"
        "def attack():\n    threading.Thread(target=later).start()\n    return 'once'\n",
        ("once",),
    ),
    "garbage": ("import os\ndef attack():\n    os.write(3, b'garbage' * 99)\n    return 1\n", (Blocked,)),
    "a huge length": ("import os\ndef attack():\n    os.write(3, b'\\xff' * 12)\n    return 1\n", (Blocked,)),
    "a frame that never ends": (
        "import os, time\ndef attack():\n    os.write(3, b'\\x10\\0\\0\\0' + bytes(8) + b'x')\n    time.sleep(99)\n",
        (TimedOut,),
        {"seconds": 0.3},
    ),
    "a claim of four thousand million items": (
        "import os, struct\ndef attack():\n    h = b'\\xdd\\xff\\xff\\xff\\xff'\n"
        "    os.write(3, struct.pack('<IQ', len(h), 0) + h)\n",
        (Blocked,),
    ),
    "closing the channel": (
        "import os, time\ndef attack():\n    os.close(3)\n    time.sleep(99)\n",
        (Ended,),
        {"seconds": 0.3},
    ),
    "closing every descriptor": (
        "import os\ndef attack():\n    os.closerange(0, 64)\n    return 1\n",
        (Ended,),
    ),
    "a callback that was never given": (
        FORGE + "import gc\nserver = sys.modules['autograder.remote.server']\n"
        "def attack():\n    s = next(o for o in gc.get_objects() if type(o) is server.Server)\n"
        "    return s._caller(99, '')()\n",
        (Blocked,),
    ),
    "another process on the channel": (
        "import socket\ndef attack():\n    s = socket.socket(fileno=3)\n"
        "    socket.send_fds(s, [b'x'], [0])\n    return 1\n",
        (PermissionError, Ended),
    ),
}
