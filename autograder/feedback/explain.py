"""What a student reads about one test.

About a public test: everything, as far as there is room for a confined submission's own words. About a hidden one: the
sentence its author wrote for students, the kind of error, what to do about that kind, and the function of the skeleton it
came from. Nothing else, because an exception's text, like a print, or the line that fails, can carry a hidden input out.
About a confined file that does not load: the kind of error, the line, and of the text what stands in that line. Its code,
like that of any other confined file, may know the hidden inputs of other exercises.
"""

from __future__ import annotations

import builtins
import linecache
import re
import traceback
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from autograder.course.given import given_functions
from autograder.feedback.handed_in import HandedIn, repeatable
from autograder.feedback.remedy import BY_CLAIM, BY_FAMILY, remedy
from autograder.feedback.words import words
from autograder.guest.cut_graph import CutGraph
from autograder.remote.errors import Frame, StudentError
from autograder.remote.intake import ELEMENTS, LoadedTooLong, TooMuch
from autograder.results import Outcome, Visibility
from autograder.text import LANGUAGES, Text, joined, printable

if TYPE_CHECKING:
    from autograder.runner.collect import TestCase
    from autograder.runner.run import Ending

MESSAGE_LIMIT = 600
TRACED = 4  # lines of a traceback
# A remedy that would repeat a name; where that stands nowhere, what is said of every such error.
_UNNAMED = {"ModuleNotFoundError": BY_FAMILY["ModuleNotFoundError"]}
FAMILIES = {
    name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, Exception)
}

ABSENT = Text(
    "{question} is missing from your file; take it over from the exercise's skeleton.",
    "你的文件里没有 {question}；请从题目骨架里保留它。",
)
UNANSWERED = Text("{question} is not implemented yet.", "{question} 还没有实现。")
ERROR = Text("{error} in line {line}.", "第 {line} 行出现 {error}。")
ERROR_IN = Text("{error} in {function}.", "{function} 中出现 {error}。")
ERROR_SOMEWHERE = Text("{error} in your code.", "你的代码出现 {error}。")
# What pytest appends to an assertion's own words: the compared values, tensors in full.
ASSERTED = re.compile(r"(?s)(?<=.)\nassert .*")
RERUN = Text("Run the public tests yourself to read more.", "自己运行公开测试，可以看到更多信息。")
CUT_GRAPH = Text(
    "The result is cut from the graph, so no gradient flows from it to what went in: look for a step that takes values "
    "out of tensors, switches gradients off, or makes a new tensor of old numbers.",
    "结果与计算图断开了，梯度无法从它传回输入：请找一找哪一步把数值从张量里取了出来、关掉了梯度，或用旧数值新建了张量。",
)
FIXED = {
    Outcome.TIMEOUT: Text(
        "Your code ran longer than this test allows ({seconds:g} s); look for a loop that does not end.",
        "代码运行超过了本测试允许的时间（{seconds:g} 秒），请检查是否有不会结束的循环。",
    ),
    Outcome.NOT_RUN: Text(
        "This test was not run, because other tests of the same code ran out of time; mend what those tell you first.",
        "本测试没有运行，因为测试同一段代码的其他测试已超时；请先解决那些超时。",
    ),
    Outcome.MEMORY: Text(
        "Your code needed more memory than this test allows ({memory_mb} MiB).",
        "代码使用的内存超过了本测试的上限（{memory_mb} MiB）。",
    ),
    Outcome.CRASHED: Text(
        "Your code ended the Python process (an exit call, or a crash).",
        "代码使 Python 进程退出或崩溃。",
    ),
    Outcome.BLOCKED: Text(
        "Your code tried something that a submission may not do.",
        "代码尝试了提交不允许的操作。",
    ),
    Outcome.UNGRADED: Text(
        "This test could not be graded through no fault of yours; it will be graded again.",
        "本测试因系统原因未能评分，稍后会重新评分，不影响你的成绩。",
    ),
}


TOO_MUCH = Text(
    "Your code gave this test more than a test can take in ({elements} million elements, or the memory to work with "
    "them); return only what is asked for.",
    "代码交给本测试的内容超出了测试所能接收的量（{wan} 万个元素，或处理它们所需的内存）；请只返回题目要求的结果。",
)
TOO_LONG_LOADING = Text(
    "Your file has ended its process again and again, and loading it anew took too long; mend what the other tests tell "
    "you first.",
    "你的文件多次使进程终止，而重新加载它耗时过长；请先解决其他测试指出的问题。",
)


def explain(
    ending: Ending,
    case: TestCase,
    is_student: Callable[[str], bool],
    seconds: float,
    memory_mb: int,
    handed_in: HandedIn | None = None,
    given: Collection[str] = (),
    loading: bool = False,
) -> Text:
    """The student's message for how a test ended; empty for a pass.

    Args:
        is_student: tells the student's file by its name in a traceback.
        seconds, memory_mb: the test's limits.
        handed_in: what is graded; None on a learner's own machine, where nothing is hidden from its owner.
        given: functions of the student's file that were given; in process they are looked up, too.
        loading: whether the error is the one that kept the file from being loaded.
    """
    if ending.passed:
        return Text()
    if ending.outcome is Outcome.NOT_IMPLEMENTED:
        text = ABSENT if isinstance(ending.error, AttributeError) else UNANSWERED
        return text.format(question=ending.question)
    if isinstance(ending.error, TooMuch):
        return TOO_MUCH.format(elements=ELEMENTS // 10**6, wan=ELEMENTS // 10**4)
    if isinstance(ending.error, LoadedTooLong):
        return TOO_LONG_LOADING
    if ending.outcome in FIXED:
        return FIXED[ending.outcome].format(seconds=seconds, memory_mb=memory_mb)
    if ending.error is not None and _claimed(ending.error) == CutGraph.__name__:
        return joined(case.sentence, CUT_GRAPH)
    if ending.outcome is Outcome.ERROR and ending.error is not None:
        told = loading or case.visibility is Visibility.PUBLIC
        if told and handed_in is not None and isinstance(ending.error, StudentError):
            return _in_file(ending.error, handed_in, given, loading)
        return _error(ending.error, case.visibility, is_student, handed_in, given)
    if case.visibility is Visibility.PUBLIC and ending.error is not None:
        said = words(ending.error) if str(ending.error).strip() else Text(type(ending.error).__name__)
        detail = Text(
            *(printable(ASSERTED.sub("", said.pick(lang)).strip(), MESSAGE_LIMIT) for lang in LANGUAGES)
        )
        return with_detail(case.sentence, detail, handed_in)
    return case.sentence


def with_detail(sentence: Text, detail: Text, handed_in: HandedIn | None) -> Text:
    """A public test's sentence, and what a submission's answer was like, as much of it as may be told."""
    told = handed_in.told(detail) if handed_in is not None else detail
    return joined(sentence, told, RERUN if told != detail else Text())


def _error(
    error: BaseException,
    visibility: Visibility,
    is_student: Callable[[str], bool],
    handed_in: HandedIn | None,
    given: Collection[str],
) -> Text:
    """The student's own exception, with their own lines only."""
    frames = own_frames(frames_of(error, is_student), given, look=not isinstance(error, StudentError))
    if visibility is Visibility.HIDDEN:
        name = family(error)
        function = handed_in.function_of(frames) if handed_in is not None else None
        if function is not None:
            said = ERROR_IN.format(error=name, function=function)
        elif handed_in is None and frames and linecache.getline(frames[-1].filename, frames[-1].line):
            said = ERROR.format(error=name, line=frames[-1].line)
        else:
            said = ERROR_SOMEWHERE.format(error=name)
        advice = BY_FAMILY.get(name) if isinstance(error, StudentError) else None
        advice = BY_CLAIM.get((name, _claimed(error)), advice)
        return Text(f"{said.en} {advice.en}", f"{said.zh}{advice.zh}") if advice else said
    traced = [f"  line {frame.line}, in {frame.function}: {frame.source}" for frame in frames[-TRACED:]]
    return _told(_named(_claimed(error), words(error)), traced, remedy(error))


def _in_file(error: StudentError, handed_in: HandedIn, given: Collection[str], loading: bool) -> Text:
    """What a confined file's error says of the file itself; where it was loaded, of its own words as much as fits."""
    frames = error.frames[-1:] if loading else own_frames(error.frames, given, look=False)[-TRACED:]
    places = [handed_in.place_of([frame]) for frame in frames]
    traced = [
        f"  {place.told('' if loading else handed_in.defined(frame.function))}"
        for place, frame in zip(places, frames, strict=True)
        if place is not None
    ]
    if error.certain:
        return _told(_named(_claimed(error), words(error)), traced, None)
    kind = family(error)
    name = error.name if (kind, error.name) in BY_CLAIM else kind
    source = places[-1].source if places and places[-1] is not None else ""
    said = repeatable(error.name, error.message, source)
    first, whole = _named(name, said), said != Text()
    if not whole and not loading:
        own = _named(error.name, words(error))
        told = handed_in.told(own) if own != first else own
        first, whole = told if told.en else first, told == own
    fixed = BY_CLAIM.get((kind, error.name), _UNNAMED.get(kind))
    if fixed is not None and not whole:
        return _told(first, traced, fixed)
    return _told(first, traced, remedy(error) or (None if whole or loading else RERUN))


def _named(name: str, said: Text) -> Text:
    """An exception as Python shows it."""
    messages = (printable(said.pick(lang), MESSAGE_LIMIT) for lang in LANGUAGES)
    return Text(*(f"{name}: {message}" if message else name for message in messages))


def _told(first: Text, traced: Sequence[str], advice: Text | None) -> Text:
    lines = "\n".join(traced)
    return joined(first, Text(lines, lines), advice or Text())


def frames_of(error: BaseException, is_student: Callable[[str], bool]) -> tuple[Frame, ...]:
    """The student's own lines of a traceback, outermost first."""
    if isinstance(error, StudentError):
        return error.frames
    entries = traceback.extract_tb(error.__traceback__)
    frames = [
        Frame(e.filename, e.lineno or 0, e.name, e.line or "") for e in entries if is_student(e.filename)
    ]
    if isinstance(error, SyntaxError) and error.filename and is_student(error.filename):
        frames.append(Frame(error.filename, error.lineno or 0, "<module>", (error.text or "").strip()))
    return tuple(frames)


def own_frames(frames: Sequence[Frame], given: Collection[str] = (), look: bool = True) -> Sequence[Frame]:
    """The lines that the student wrote, without those of given code in the same file; all, where that leaves none.

    look: whether the files may be looked into. Where a confined process names them, that could be any file here.
    """
    known = {frame.filename: frozenset(given) for frame in frames}
    if look:
        known |= {
            name: own | given_functions("".join(linecache.getlines(name))) for name, own in known.items()
        }
    return [frame for frame in frames if frame.function not in known[frame.filename]] or frames


def _claimed(error: BaseException) -> str:
    """The name of the exception's class, which is the student's to choose."""
    return error.name if isinstance(error, StudentError) else type(error).__name__


def family(error: BaseException) -> str:
    """The builtin exception it is: a class of the student's own could spell out a hidden value in its name."""
    names = error.mro if isinstance(error, StudentError) else [kind.__name__ for kind in type(error).__mro__]
    return next((name for name in names if name in FAMILIES), "Exception")
