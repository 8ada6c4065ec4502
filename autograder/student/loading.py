"""Turn a submission's files into a module, the same way in every mode.

The files never need to exist on disk: siblings of the main file are importable through an in-memory finder, and their
lines are put into `linecache` so that a traceback can show them.
"""

from __future__ import annotations

import io
import linecache
import os
import re
import sys
import tokenize
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from autograder.student.notebook import notebook_source

STUB = "autograder"
MODULE = "submission"  # never the file's own name: exercises are called `logging` and `imports`, too


def module_name(filename: str) -> str:
    """`a/scaled_dot_product.py` -> `scaled_dot_product`."""
    return filename.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def filename_of(name: str, directory: str = "") -> str:
    """The name that tracebacks show for a submission's file: its path, or `<name>` for one that is not on disk."""
    base = name.rsplit("/", 1)[-1]
    return os.path.join(directory, base) if directory else f"<{base}>"


def decode_source(raw: bytes) -> str:
    """Source bytes to text by PEP 263 (BOM or coding line, else UTF-8). SyntaxError where the bytes don't fit."""
    declared = any(re.match(rb"[ \t\f]*#.*?coding[:=]", line) for line in raw.splitlines()[:2])
    encoding = tokenize.detect_encoding(io.BytesIO(raw).readline)[0] if declared else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig")
        raise SyntaxError(f"the file is not {name} text (byte {error.start}); save it as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


class _Siblings(MetaPathFinder, Loader):
    """Imports the submission's other `.py` files from memory."""

    def __init__(self, files: Mapping[str, bytes], directory: str) -> None:
        self.directory = directory
        modules = {module_name(name): (name, raw) for name, raw in files.items() if name.endswith(".py")}
        # A sibling named `random.py` must not replace the library's module under everybody else.
        self.sources = {
            name: v for name, v in modules.items() if name not in sys.stdlib_module_names and "." not in name
        }

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in self.sources else None

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        name, raw = self.sources[module.__name__]
        _execute(module, decode_source(raw), filename_of(name, self.directory))


def _execute(module: ModuleType, source: str, filename: str) -> None:
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    module.__file__ = filename
    exec(compile(source, filename, "exec", dont_inherit=True), module.__dict__)


def _stub_autograder() -> ModuleType:
    """What `from autograder import check` gives a submission under test: a check that does nothing."""
    stub = ModuleType(STUB)
    stub.check = lambda *args, **kwargs: None  # type: ignore[attr-defined]
    return stub


_installed: _Siblings | None = None


def _install(siblings: _Siblings) -> None:
    """Make these siblings importable from now on (a function may import one when it is called), and no others."""
    global _installed
    if _installed is not None:
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not _installed]
        for name in _installed.sources:
            # Only what that finder made: an installed library of the same name won, and stays.
            spec = getattr(sys.modules.get(name), "__spec__", None)
            if spec is not None and spec.loader is _installed:
                del sys.modules[name]
    sys.meta_path.append(siblings)  # last: an installed library wins over a file of the same name
    _installed = siblings


def load_module(files: Mapping[str, bytes], main: str, directory: str = "") -> ModuleType:
    """Execute `files[main]` as a fresh module and return it.

    Args:
        files: name -> raw bytes; the main file (`.py` or `.ipynb`) and the `.py` files beside it.
        main: the name of the file to run.
        directory: where the files lie on disk, if they do, so that a debugger finds them.

    Raises whatever the submission raises, SyntaxError included. While it runs, `import autograder` gives a stub.
    """
    source = notebook_source(files[main]) if main.endswith(".ipynb") else decode_source(files[main])
    _install(_Siblings({name: raw for name, raw in files.items() if name != main}, directory))
    module = ModuleType(MODULE)
    stubbed = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == STUB}
    sys.modules[STUB] = _stub_autograder()
    sys.modules[MODULE] = module  # dataclasses and typing look a class's module up here
    try:
        _execute(module, source, filename_of(main, directory))
    finally:
        del sys.modules[STUB]
        sys.modules.update(stubbed)
    return module
