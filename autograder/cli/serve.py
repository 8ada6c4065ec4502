"""`autograder serve`: the gradebook, the feedback and the report as pages of this machine, as they are now."""

from __future__ import annotations

from typing import Annotated

import typer

from autograder.cli.common import (
    DEFAULT_GRADEBOOK,
    CourseOption,
    GradebookOption,
    LangOption,
    Speaker,
    console,
    course_at_hand,
)
from autograder.errors import UserError
from autograder.text import Text

SERVING = Text(
    "Whoever has this address can read all grades; it holds until this command ends (Ctrl-C). Other machines can't reach it.",
    "知道这个网址的人可以看到所有成绩；按 Ctrl-C 结束本命令后网址失效。其他机器无法访问。",
)
ENDED = Text("Stopped.", "已停止。")


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command(short_help="Show the gradebook in the browser, on this machine only, while grading goes on.")(
        serve
    )


def serve(
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: one that is free.")] = 0,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Show the class, each student, what they get back, and the report, as pages that follow the gradebook.

    They are read-only, and for this machine: the address holds a secret, and begins with http://127.0.0.1. Where no course
    is at hand, results are shown as they were recorded. Ctrl-C ends it.
    """
    import webbrowser

    from autograder.cli.live_pages import LivePages
    from autograder.gradebook import Gradebook
    from autograder.gradebook.database import must_exist
    from autograder.platforms.local_server import LocalServer

    must_exist(gradebook)
    say, remarks = Speaker(lang), console(stderr=True)
    root = course_at_hand(course)
    with Gradebook(gradebook) as book:
        try:
            server = LocalServer(port, LivePages(book, root, say.lang, say))
        except OSError as error:
            raise UserError(
                f"port {port} can't be used ({error.strerror}); leave out --port, and a free one is taken",
                f"端口 {port} 无法使用（{error.strerror}）；去掉 --port 会自动选用空闲端口",
            ) from None
        with server:
            try:
                print(server.url, flush=True)
                remarks.print(say(SERVING), style="yellow")
                if open_browser:
                    webbrowser.open(server.url)
                server.serve_forever(poll_interval=0.2)
            except KeyboardInterrupt:
                remarks.print(say(ENDED))
