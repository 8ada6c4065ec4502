"""What the repository promises as a whole: what is installed, what is tracked, what is there in both languages."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import msgspec
import pytest

import autograder.testing
from autograder.course.sizes import SIZES
from autograder.runner.collect import FIXTURES

ROOT = Path(__file__).resolve().parent.parent
# Names are put together here so that this file does not hold them.
MACHINE_PATHS = re.compile(
    r"(?<![\w.])/(?:" + "|".join(["home", "Users", "root", "work", "mnt", "workspace"]) + r")/[\w.-]+"
)
PRIVATE_HOSTS = re.compile(
    r"https?://[^/\s]*(?:internal|corp|\.local|\.lan|artifactory|nexus|devpi|pypi|mirror)|file:///",
    re.IGNORECASE,
)
INDEX_OPTION = re.compile(r"--(?:extra-)?index-url|--find-links|--trusted-host")


@cache
def tracked() -> list[Path]:
    """Tracked files, and new ones that git does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.fail(f"git can't list the repository's files ({error}); run the tests in a clone")
    paths = [ROOT / name.decode() for name in done.stdout.split(b"\0") if name]
    assert len(paths) > 50
    return [path for path in paths if path.is_file()]


def test_the_installed_package_holds_no_exercise(tmp_path: Path) -> None:
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path),
    ]
    source = tmp_path / "source"  # a build leaves folders beside the sources
    source.mkdir()
    for path in tracked():
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    done = subprocess.run([*build, str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "autograder/cli/main.py" in names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"autograder"}
    packaged = {Path(name).parts[-2:] for name in names}
    for path in (ROOT / "solutions").rglob("*.py"):
        assert path.parts[-2:] not in packaged, path
    owned = {str(p.relative_to(ROOT)) for p in tracked() if p.is_relative_to(ROOT / "autograder")}
    assert owned <= set(names)


def test_no_accelerator_packages_came_along() -> None:
    names = {
        (distribution.metadata["Name"] or "").lower() for distribution in importlib.metadata.distributions()
    }
    assert "torch" in names
    found = [
        n
        for n in names
        if n.startswith(("nvidia-", "nvidia_", "cuda-", "cuda_", "triton", "pytorch-triton", "cupy"))
    ]
    assert not found, f"torch is to be installed CPU-only; found {sorted(found)}"


def test_torch_is_the_pinned_one() -> None:
    import torch

    assert torch.__version__.split("+")[0] == "2.13.0"
    assert torch.version.cuda is None


def lines() -> list[tuple[str, str]]:
    found = []
    for path in tracked():
        if path == Path(__file__).resolve():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [(f"{path.relative_to(ROOT)}:{n}", line) for n, line in enumerate(text.splitlines(), 1)]
    return found


def test_no_machine_paths() -> None:
    found = [f"{place}: {match[0]}" for place, line in lines() if (match := MACHINE_PATHS.search(line))]
    # Paths that a test makes up to be refused are no machine's.
    assert not [entry for entry in found if not entry.startswith("tests/")], found
    here = str(ROOT)
    assert not [place for place, line in lines() if len(here) > 5 and here in line]


def test_no_registry_hosts() -> None:
    found = [
        f"{place}: {line.strip()}"
        for place, line in lines()
        if PRIVATE_HOSTS.search(line) or INDEX_OPTION.search(line)
    ]
    assert not [entry for entry in found if not entry.startswith("tests/")], found


def test_lessons_exist_in_both_languages() -> None:
    from autograder.course import Course

    course = Course.load(ROOT, authoring=True)
    missing = [
        str(path.relative_to(ROOT))
        for exercise in course
        for path in (exercise.lesson("en"), exercise.lesson("zh"))
        if not path.is_file()
    ]
    for unit in course.units:
        for name in ("overview.md", "overview.zh.md"):
            path = ROOT / "course" / unit.id / name
            if not path.is_file():
                missing.append(str(path.relative_to(ROOT)))
    assert not missing


def test_chinese_pages_are_chinese() -> None:
    for path in (ROOT / "course").rglob("*.zh.md"):
        text = path.read_text(encoding="utf-8")
        assert len(re.findall("[一-鿿]", text)) > 300, path


def test_every_page_of_the_course_belongs_to_a_unit_or_exercise() -> None:
    from autograder.course import Course

    course = Course.load(ROOT, authoring=True)
    known = {path for e in course for path in (e.lesson("en"), e.lesson("zh"))}
    known |= {
        ROOT / "course" / u.id / name for u in course.units for name in ("overview.md", "overview.zh.md")
    }
    strays = [p for p in (ROOT / "course").glob("*/*.md") if p not in known]
    assert not strays


def test_no_bytes_that_do_not_belong() -> None:
    """No caches, databases or archives are tracked, and no file is large."""
    for path in tracked():
        assert path.suffix not in (".pyc", ".db", ".whl", ".zip", ".ipynb_checkpoints"), path
        assert path.stat().st_size < 2 << 20, path


def test_versions_agree() -> None:
    import autograder

    assert importlib.metadata.version("llm-autograder") == autograder.__version__


# Each room knows only those after it.
ROOMS = (
    "cli", "platforms", "audit", "learn", "authoring", "grading", "gradebook", "feedback", "runner", "testing", "remote",
    "sandbox", "course", "guest", "errors", "results", "text",
)  # fmt: skip


@cache
def arrows() -> dict[str, set[str]]:
    """Module of the program -> the modules that it imports, wherever: in functions and under TYPE_CHECKING, too."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (ROOT / "autograder").rglob("*.py")
        if "files" not in path.relative_to(ROOT).parts  # scripts for other places
    }
    found = {}
    for module, path in modules.items():
        names = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not node.level, f"{module}: write {ast.unparse(node)!r} with the package's name"
                names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
            elif isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in modules:
                names.add(node.value)  # for importlib, or `python -m`
        found[module] = (names & modules.keys()) - {module, "autograder"}
    return found


def room_of(module: str) -> str:
    """`autograder.gradebook.store` -> `gradebook`; "" for the door: `from autograder import check`, `python -m autograder`."""
    room = module.split(".")[1] if "." in module else ""
    return "" if room.startswith("__") else room


def test_rooms_know_only_what_lies_below() -> None:
    assert {room_of(module) for module in arrows()} - {""} == set(ROOMS)
    for module, targets in arrows().items():
        for target in targets:
            here, there = room_of(module), room_of(target)
            if here and there:
                assert ROOMS.index(here) <= ROOMS.index(there), f"{module} reaches up to {target}"
                assert here != "platforms" or _place(module) in ("", _place(target)) or not _place(target), (
                    f"{module} reaches sideways to {target}"
                )


def _place(module: str) -> str:
    """The platform that a module is about; "" where it serves several. Only `publish` may know them by name."""
    parts = module.split(".")
    shared = ("platforms", "publish", "selection", "wheel", "columns", "leftovers")
    return "" if parts[1] != "platforms" or parts[-1] in shared else parts[2]


def test_no_circles() -> None:
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for target in sorted(arrows()[module]):
                if not module.startswith(f"{target}."):  # a package's own face
                    visit(target, (*path, module))
            done.add(module)

    for module in arrows():
        visit(module, ())


def test_the_readme_lists_the_rooms_in_their_order() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [row for row in rows if row in ROOMS] == [room for room in ROOMS if room in rows]
    assert len(rows) >= 10


def test_contributing_gives_the_sizes_of_each_tier() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for tier, size in SIZES.items():
        columns = [
            f"{least:,}-{most:,}" if least else f"up to {most:,}"
            for least, most in msgspec.structs.astuple(size)
        ]
        assert f"| {' | '.join([tier, *columns])} |" in page


def test_contributing_lists_every_helper_and_fixture() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    first = "\n".join(re.findall(r"^\| (.+?) \|", page, re.MULTILINE))
    assert [name for name in autograder.testing.__all__ if not re.search(rf"`{name}\b", first)] == []
    assert [name for name in FIXTURES if not re.search(rf"`{name}\b", first)] == []


def test_every_user_error_is_written_in_both_languages() -> None:
    trees = {
        path: ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "autograder").rglob("*.py")
    }
    nodes = [(path, node) for path, tree in trees.items() for node in ast.walk(tree)]
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for _, node in nodes
        if isinstance(node, ast.ClassDef)
    }
    errors = {"UserError"}
    while more := {name for name, above in bases.items() if above & errors} - errors:
        errors |= more
    assert {"CourseError", "GradebookError", "ScriptError"} <= errors
    found = 0
    for path, node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in errors:
            found += 1
            place = f"{path.relative_to(ROOT)}:{node.lineno}"
            assert len(node.args) == 2 and not node.keywords, f"{place}: give both texts, English and Chinese"
            second = ast.unparse(node.args[1])
            assert re.search(r"[一-鿿]|\.zh\b", second), f"{place}: the second text is to be Chinese"
    assert found > 60
