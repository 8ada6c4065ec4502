"""A class's hand-ins as instructors have them: a folder, or one zip file of all; students' own folders and zip files in it,
or what Canvas and Moodle pack for download.

Whose a file is, only the name of what lies at the top says: that one the platform wrote. Deeper names are the student's
own, and claim nothing.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from autograder.errors import UserError
from autograder.gradebook.roster import Person
from autograder.grading.collector import Upload, visible
from autograder.grading.names import SUFFIXES, Names
from autograder.grading.submissions import SubmissionsError, students_of
from autograder.platforms.lms import canvas, moodle
from autograder.platforms.lms.sender import Sender, letters, spellings
from autograder.remote.archive import passed_over
from autograder.remote.errors import ArchiveError
from autograder.results import TimeSource, Unrecognised, Why
from autograder.text import Text

MAX_BYTES = 128 << 20  # of a whole class's work in one zip file
MAX_FILES = 50_000
SHOWN = 5  # names in a remark

UNLISTED = Text(
    "not on a roster, so called as {platform} calls them: {names}. `autograder gradebook roster FILE` takes over a class list "
    "(from Canvas: Grades > Export); then run the same command again",
    "以下学生不在名册上，暂用 {platform} 中的名字：{names}。请先用 `autograder gradebook roster 文件` 导入名册"
    "（Canvas：Grades > Export），再运行同一命令",
)
ALIKE = Text(
    "several people of {platform}'s would be {student} ({names}), so none of them is. Import a roster with the platform's own "
    "ids, or put the files of the one who is meant into a folder named {student}",
    "{platform} 中有多人对应 {student}（{names}），因此都没有算作此人。请导入含平台 ID 的名册，"
    "或把其本人的文件放进名为 {student} 的文件夹",
)

Unpack = Callable[[BinaryIO, int, int, Sequence[str]], dict[str, bytes]]


@dataclass
class Download:
    """Whose is what. `loose` lies at the top and is nobody's; `remarks` say what an instructor should know of the names."""

    folder: Path
    students: dict[str, list[Path | Upload]] = field(default_factory=dict)
    loose: list[Unrecognised] = field(default_factory=list)
    remarks: list[Text] = field(default_factory=list)


@contextmanager
def opened_download(
    place: Path, people: Mapping[str, Person], names: Names, unpack: Unpack
) -> Iterator[Download]:
    """What lies in a folder; of a zip file, for as long as this lasts.

    Args:
        people: the roster.
        unpack: takes an archive apart where it can do no harm: (archive, most bytes, most files, suffixes).

    Raises:
        SubmissionsError: it is no folder, or holds nobody's work.
        UserError: the zip file can't be unpacked.
    """
    if not (place.is_file() and place.suffix.lower() == ".zip"):
        yield read_download(place, people, names)
        return
    with tempfile.TemporaryDirectory(prefix="autograder-") as scratch:
        folder = Path(scratch) / "class"
        folder.mkdir()
        packed = place.stat().st_mtime
        for name, content in _members(place, unpack).items():
            target = folder / name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as file:
                    file.write(content)
                os.utime(target, (packed, packed))  # no later date of it is known
            except OSError as error:
                raise _unusable(place, f"{name!r}: {error.strerror}") from None
        inside = folder / place.stem  # whoever packs a folder often packs the folder itself
        whole = [entry.name for entry in folder.iterdir()] == [place.stem] and inside.is_dir()
        try:
            found = read_download(inside if whole else folder, people, names)
        except SubmissionsError:
            raise SubmissionsError(
                f"{place} holds no student's folder or zip file; give a zip file with s001/... and so on in it",
                f"{place} 里没有学生的文件夹或 zip 文件；请给出含有 s001/... 这样内容的 zip 文件",
            ) from None
        yield found


def _members(place: Path, unpack: Unpack) -> dict[str, bytes]:
    try:
        with place.open("rb") as archive:
            return unpack(archive, MAX_BYTES, MAX_FILES, (*SUFFIXES, ".zip"))
    except OSError as error:
        raise _unusable(place, error.strerror or str(error)) from None
    except ArchiveError as error:
        raise _unusable(place, str(error)) from None


def _unusable(place: Path, reason: str) -> UserError:
    return UserError(
        f"{place} can't be unpacked: {reason}; unpack it yourself and give the folder",
        f"{place} 无法解压：{reason}；请自行解压，再给出该文件夹",
    )


def read_download(folder: Path, people: Mapping[str, Person], names: Names) -> Download:
    """Whose is what lies in a folder."""
    uploads: dict[Sender, list[Upload]] = defaultdict(list)
    loose: list[Path] = []
    doubtful: list[Path] = []  # zip files that two people may have sent
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        if passed_over([entry.name]):
            continue
        sent = moodle.sent(entry.name) or (None if entry.is_dir() else canvas.sent(entry.name))
        if sent is not None:
            uploads[sent[0]].append(Upload(entry, sent[1], _word(sent[0], entry.name)))
        elif entry.is_dir():
            continue
        elif entry.suffix.lower() != ".zip":
            loose.append(entry)
        elif canvas.FILE.fullmatch(entry.name):
            doubtful.append(entry)
    theirs = [upload.path for given in uploads.values() for upload in given]
    plain = students_of(folder, {*theirs, *doubtful})
    found = Download(folder, {student: list(entries) for student, entries in plain.items()})
    for sender, student in _students(list(uploads), people, set(plain), found.remarks).items():
        found.students.setdefault(student, []).extend(uploads[sender])
    found.students = dict(sorted(found.students.items()))
    for entry in sorted(loose + doubtful):
        suffix = PurePosixPath(entry.name).suffix.lower()
        if suffix in (*SUFFIXES, ".zip") or names.may_hold_work(entry.name):
            resembled = tuple(exercise.id for exercise in names.resembling(entry.name))
            found.loose.append(Unrecognised(visible(entry.name), Why.LOOSE, resembled))
    return found


def _word(sender: Sender, name: str) -> TimeSource:
    """What the date of a downloaded file is: both platforms put the time of the download there."""
    if sender.platform == "Moodle":
        return TimeSource.MOODLE
    return TimeSource.CANVAS if canvas.is_late(name) else TimeSource.CANVAS_ON_TIME


def _students(
    senders: Sequence[Sender], people: Mapping[str, Person], taken: set[str], remarks: list[Text]
) -> dict[Sender, str]:
    """What our gradebook calls each sender. Nobody is taken for a student of whom two of a platform's people could be one."""
    by_number = {person.lms_id: person for person in people.values() if person.lms_id}
    by_name: dict[str, list[Person]] = defaultdict(list)
    for person in people.values():
        for spelling in spellings(person):
            by_name[spelling].append(person)
    # (student, platform) -> the senders who would be that student by their name
    claims: dict[tuple[str, str], list[Sender]] = defaultdict(list)
    certain: dict[Sender, str] = {}
    for sender in senders:
        numbered = by_number.get(sender.number) if sender.platform == "Canvas" else None
        named = [
            person
            for person in by_name.get(letters(sender.name), ())
            # Canvas's number would have named them, if they were the one.
            if not (sender.platform == "Canvas" and person.lms_id)
        ]
        if numbered is not None:
            certain[sender] = numbered.student
        elif len(named) == 1:
            claims[named[0].student, sender.platform].append(sender)
    numbered_students = set(certain.values())
    for (student, platform), claiming in claims.items():
        if len(claiming) == 1 and student not in numbered_students:
            certain[claiming[0]] = student
        else:
            remarks.append(ALIKE.format(platform=platform, student=student, names=_listed(claiming)))
    for platform in dict.fromkeys(sender.platform for sender in senders):
        unlisted = [s for s in senders if s.platform == platform and s not in certain]
        if unlisted:
            remarks.append(UNLISTED.format(platform=platform, names=_listed(unlisted)))
    called = Counter(visible(sender.name) for sender in senders)
    reserved = taken | set(people) | set(certain.values())
    return {sender: certain.get(sender) or _own_name(sender, called, reserved) for sender in senders}


def _own_name(sender: Sender, called: Mapping[str, int], reserved: Collection[str]) -> str:
    """What to call somebody whom no roster names, so that nobody else is called that."""
    name = visible(sender.name)
    if called[name] == 1 and name not in reserved:
        return name
    numbered = f"{name}_{sender.number}"
    return (
        numbered if numbered not in called and numbered not in reserved else f"{numbered} ({sender.platform})"
    )


def _listed(senders: Sequence[Sender]) -> str:
    names = [f"{visible(sender.name)} ({sender.number})" for sender in senders[:SHOWN]]
    return ", ".join(names) + (f" +{len(senders) - SHOWN}" if len(senders) > SHOWN else "")
