"""Sphinx's configuration for one language of the site. What differs from site to site is in the file that
AUTOGRADER_SITE names; see autograder/platforms/site/build.py."""

import json
import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
site = json.loads(Path(os.environ["AUTOGRADER_SITE"]).read_text(encoding="utf-8"))

project = html_title = site["title"]
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "autograder.platforms.site.extension",
]

# Lessons
nb_execution_mode = "cache"
nb_execution_cache_path = site["cache"]
nb_execution_show_tb = True  # in the warning, which ends the build
nb_execution_timeout = 300
nb_merge_streams = True
nb_code_prompt_show, nb_code_prompt_hide = site["show_code"], site["hide_code"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 4
default_role = "literal"  # docstrings are written with single backticks
autodoc_typehints = "signature"
autodoc_preserve_defaults = True

# Looks
html_theme = "furo"
html_static_path = [str(HERE / "static"), site["static"]]
html_extra_path = [site["extra"]]
templates_path = [str(HERE / "templates")]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = html_show_sourcelink = html_show_copyright = html_show_sphinx = False
html_use_index = html_domain_indices = False
html_theme_options: dict[str, list[str]] = {"top_of_page_buttons": []}
html_context = {name: site[name] for name in ("other", "progress", "explorables")}
pygments_style, pygments_dark_style = "a11y-light", "a11y-high-contrast-dark"
mathjax_path = "mathjax.js"
mathjax3_config = {
    "options": {"ignoreHtmlClass": ".*", "processHtmlClass": "math", "enableMenu": False},
    "svg": {"fontCache": "local"},
}
myst_update_mathjax = False
