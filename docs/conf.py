"""How the site is built: `python -m sphinx -W -b html docs docs/_build/html`. Nothing is fetched, ever."""

from __future__ import annotations

import sys
from pathlib import Path

import qkdpost

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "qkdpost"
author = "The qkdpost developers"
copyright = author  # Sphinx asks for this name
version = release = qkdpost.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "mathml",
    "names",
    "outside_pages",
]
exclude_patterns = ["_build", "extensions", "pictures"]

# Pages are Markdown that a code host shows as well: headings have the anchors that such a host gives them.
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist", "smartquotes"]
myst_heading_anchors = 4
myst_fence_as_directive = []

# Docstrings name code in single backticks. What is an object of the library becomes a link, anything else stays code.
default_role = "py:obj"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Members", "params_style")]
add_module_names = False

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"qkdpost {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
