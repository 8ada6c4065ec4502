"""Explorables: small interactive figures, one ES module `NAME.js` each, which a lesson asks for by
`<div class="explorable" data-explorable="NAME"></div>`.

A browser imports no module from a page that was opened as a file. So each module is also written as an ordinary script,
`NAME.file.js`, that holds its text, with the modules that it imports inside.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from urllib.parse import quote

MODULES = Path(__file__).parent / "files" / "explorables"
IMPORT = re.compile(r"""(\bfrom\s*|\bimport\s*)(["'])\./([\w-]+)\.js\2""")


def names() -> list[str]:
    """All that a page may ask for."""
    return sorted(path.stem for path in MODULES.glob("*.js"))


def write_explorables(out: Path) -> None:
    """Write every module and its copy for pages that are opened as files."""
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(MODULES.glob("*.js")):
        shutil.copyfile(path, out / path.name)
        script = (
            f"(window.explorableModules ??= {{}})[{json.dumps(path.stem)}] = {json.dumps(_as_url(path))};\n"
        )
        (out / f"{path.stem}.file.js").write_text(script, encoding="utf-8")


def _as_url(path: Path) -> str:
    """The module as a data URL; those beside it that it imports, too."""
    text = path.read_text(encoding="utf-8")
    text = IMPORT.sub(lambda found: f'{found[1]}"{_as_url(path.with_name(f"{found[3]}.js"))}"', text)
    return f"data:text/javascript;charset=utf-8,{quote(text)}"
