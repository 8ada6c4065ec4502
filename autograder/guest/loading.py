"""Turn a submission's files into a module, the same way in every mode.

The files never need to exist on disk: siblings of the main file are importable through an in-memory finder, and their
lines are put into `linecache` so that a traceback can show them.
"""

from __future__ import annotations

import codecs
import importlib
import io
import linecache
import os
import re
import sys
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from autograder.guest.cell_runner import GAP, SkippedCell, check_cells, run_cells
from autograder.guest.notebook import code_cells

STUB = "autograder"
DECLARED = re.compile(rb"[ \t\f]*#.*?coding[:=]")  # an encoding, in one of the first two lines
PART = "part_"  # what the names of the modules begin with that a capstone is given as arguments
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
    encoding, text = "utf-8", raw.removeprefix(codecs.BOM_UTF8)
    if any(map(DECLARED.match, raw.splitlines()[:2])):
        encoding = tokenize.detect_encoding(io.BytesIO(raw).readline)[0].removesuffix("-sig")
    try:
        return text.decode(encoding)
    except UnicodeDecodeError as error:
        offset = len(raw) - len(text) + error.start
        raise SyntaxError(f"the file is not {encoding} text (byte {offset}); save it as UTF-8") from None


class _Siblings(MetaPathFinder, Loader):
    """Imports the submission's other `.py` files from memory."""

    def __init__(self, files: Mapping[str, bytes], directory: str) -> None:
        self.directory = directory
        self.sources = {
            module_name(name): (name, raw)
            for name, raw in files.items()
            if name.endswith(".py") or (name.startswith(PART) and name.endswith(".ipynb"))
        }
        self.filenames = {filename_of(name, directory) for name, _ in self.sources.values()}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self.sources:
            return None
        # A file named `random.py` must not replace the library's module under everybody else. A mere folder of that
        # name somewhere on the path (a namespace package: it has no origin) is no library.
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path)
            if spec is not None and spec.origin is not None:
                return None
        return ModuleSpec(fullname, self)

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        name, raw = self.sources[module.__name__]
        if name.endswith(".ipynb"):
            _execute_cells(module, code_cells(raw), filename_of(name))
        else:
            _execute(module, decode_source(raw), filename_of(name, self.directory))


def _introduce(module: ModuleType, source: str, filename: str) -> None:
    """Let tracebacks show the source."""
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    module.__file__ = filename


def _execute(module: ModuleType, source: str, filename: str) -> None:
    _introduce(module, source, filename)
    exec(compile(source, filename, "exec", dont_inherit=True), module.__dict__)


def _execute_cells(module: ModuleType, cells: Sequence[str], filename: str) -> list[SkippedCell]:
    _introduce(module, GAP.join(cells), filename)
    return run_cells(cells, filename, module.__dict__)


def _stub_autograder() -> ModuleType:
    """What `from autograder import check` gives a submission under test: a check that does nothing."""
    stub = ModuleType(STUB)
    stub.check = lambda *args, **kwargs: None  # type: ignore[attr-defined]
    return stub


_installed: _Siblings | None = None
_loading = False


def part_names() -> list[str]:
    """The modules at hand that are parts of a capstone."""
    return [name for name in (_installed.sources if _installed else ()) if name.startswith(PART)]


def is_beside(name: str) -> bool:
    """Whether a file beside the submission is what a top-level import of this name gives."""
    return _installed is not None and _installed.find_spec(name, None) is not None


def is_file_beside(filename: str) -> bool:
    """Whether a traceback's file is one beside the submission."""
    return _installed is not None and filename in _installed.filenames


def is_loading() -> bool:
    """Whether a submission's file is being executed, rather than one of its functions called by a test."""
    return _loading


def install(files: Mapping[str, bytes], directory: str = "") -> None:
    """Make these files importable from now on, as if they lay beside a submission, and no others.

    A function may import one when it is called; parts of a capstone are imported now.
    """
    global _installed
    if _installed is not None:
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not _installed]
        for name in _installed.sources:
            # Only what that finder made: an installed library of the same name won, and stays.
            spec = getattr(sys.modules.get(name), "__spec__", None)
            if spec is not None and spec.loader is _installed:
                del sys.modules[name]
    _installed = _Siblings(files, directory)
    sys.meta_path.insert(0, _installed)
    with _as_submission():
        for part in part_names():
            importlib.import_module(part)


@contextmanager
def _as_submission() -> Iterator[None]:
    """While a submission's files are executed, `import autograder` gives a stub."""
    global _loading
    real = sys.modules.get(STUB)
    sys.modules[STUB] = _stub_autograder()
    _loading = True
    try:
        yield
    finally:
        _loading = False
        if real is None:
            del sys.modules[STUB]
        else:
            sys.modules[STUB] = real


def check_syntax(name: str, raw: bytes) -> None:
    """Raise what keeps a file from being read and compiled, and run nothing of it."""
    if name.endswith(".ipynb"):
        check_cells(code_cells(raw), filename_of(name))
    else:
        compile(decode_source(raw), filename_of(name), "exec", dont_inherit=True)


def load_module(
    files: Mapping[str, bytes], main: str, directory: str = "", skipped: list[SkippedCell] | None = None
) -> ModuleType:
    """Execute `files[main]` as a fresh module and return it.

    Args:
        files: name -> raw bytes; the main file (`.py` or `.ipynb`) and the `.py` files beside it.
        main: the name of the file to run.
        directory: where the files lie on disk, if they do, so that a debugger finds them.
        skipped: takes what was left out of a notebook (see `guest.cell_runner`).

    Raises whatever the submission raises, SyntaxError included. While it runs, `import autograder` gives a stub.
    """
    filename, is_notebook = filename_of(main, directory), main.endswith(".ipynb")
    cells = code_cells(files[main]) if is_notebook else [decode_source(files[main])]
    install({name: raw for name, raw in files.items() if name != main}, directory)
    module = ModuleType(MODULE)
    sys.modules[MODULE] = module  # dataclasses and typing look a class's module up here
    with _as_submission():
        if is_notebook:
            left_out = _execute_cells(module, cells, filename)
            if skipped is not None:
                skipped += left_out
        else:
            _execute(module, cells[0], filename)
    return module
