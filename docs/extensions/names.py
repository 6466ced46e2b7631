"""The reference: directives that tell the names of a module, and links to them.

`names` takes some names of a module by hand, `room` all that a module says are public. Both make a table of the names,
each with its first sentence, and then the whole docstring of each. A name that is one of `qkdpost` itself is told
there, once; a room only lists it. `argument` tells what a module says at its top. In pages, code such as `qp.distill`
becomes a link to what is told of it.
"""

from __future__ import annotations

import inspect
import re
from functools import reduce
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from sphinx import addnodes
from sphinx.ext.napoleon import GoogleDocstring
from sphinx.util.docutils import SphinxDirective

import qkdpost

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment


def value_of(path: str) -> object:
    """Return what a dotted path from the package on stands for."""
    return reduce(getattr, path.split(".")[1:], qkdpost)


def directive_for(value: object) -> str:
    if inspect.ismodule(value):
        return "automodule"
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction" if inspect.isroutine(value) else "autodata"


def first_sentence(value: object) -> str:
    """Return the first paragraph of a docstring, if it is the value's own and not that of its type."""
    if not (inspect.ismodule(value) or inspect.isclass(value) or inspect.isroutine(value)):
        return ""
    return " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())


class Names(SphinxDirective):
    """Names of a module, in the order that is given, one a line."""

    has_content = True
    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {}

    def names(self) -> list[str]:
        return [line.strip() for line in self.content if line.strip()]

    def told_at_the_top(self, name: str) -> bool:
        return False

    def run(self) -> list[nodes.Node]:
        module, names = self.arguments[0], self.names()
        lines = [".. list-table::", "   :class: names", ""]
        for name in names:
            home = "qkdpost" if self.told_at_the_top(name) else module
            lines += [f"   * - :py:obj:`~{home}.{name}`", f"     - {first_sentence(value_of(f'{home}.{name}'))}"]
        for name in names:
            if not self.told_at_the_top(name):
                lines += self.whole(value_of(f"{module}.{name}"), f"{module}.{name}", names)
        return self.parse_text_to_nodes("\n".join(lines))

    def whole(self, value: object, path: str, names: list[str]) -> list[str]:
        """Return the directive that tells all of a name; of a part of a room, what the room does not tell itself."""
        directive = directive_for(value)
        members = ["   :members:"] if directive in ("autoclass", "autoexception", "automodule") else []
        told = ", ".join(name for name in names if directive == "automodule" and hasattr(value, name))
        return ["", f".. {directive}:: {path}", *members, *([f"   :exclude-members: {told}"] if told else [])]


class Room(Names):
    """All that a module has in its `__all__`, but the names that are given: other pages have these."""

    def names(self) -> list[str]:
        without = {line.strip() for line in self.content}
        names: list[str] = value_of(self.arguments[0]).__all__  # type: ignore[attr-defined]
        return [name for name in names if name not in without]

    def told_at_the_top(self, name: str) -> bool:
        return name in qkdpost.__all__


class Argument(SphinxDirective):
    """The docstring of a module, and where it stands."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        path = self.arguments[0]
        text = as_markup(inspect.getdoc(import_module(path)) or "")
        return self.parse_text_to_nodes(f"From ``{path}``:\n\n{text}")


def as_markup(text: str) -> str:
    """Return plain text as what docutils reads: its formulas have signs that mean something there, (i) is an item."""
    code_or_not = re.split(r"(`[^`]*`)", text)
    code_or_not[::2] = [re.sub(r"\||(?<=\w)_(?!\w)", r"\\\g<0>", part) for part in code_or_not[::2]]
    return re.sub(r"^( *)(\([ivx]+\) )", r"\1-   \\\2", "".join(code_or_not), flags=re.MULTILINE)


def link_code(app: Sphinx, page: nodes.document) -> None:
    """Make code of pages that is a name of the library refer to it."""
    for code in list(page.findall(nodes.literal)):
        if match := re.match(r"qp((?:\.\w+)+)\b", code.astext()):
            target = f"qkdpost{match[1]}"
            reference = addnodes.pending_xref(
                "", refdomain="py", reftype="obj", reftarget=target, refexplicit=True, refwarn=False
            )
            code.replace_self(reference)
            reference += code


def find_at_the_top(
    app: Sphinx, environment: BuildEnvironment, node: addnodes.pending_xref, inside: nodes.Element
) -> nodes.Node | None:
    """Resolve what docstrings name without its module, where it is a name of the package."""
    name, *rest = node.get("reftarget", "").split(".")
    if node.get("refdomain") != "py" or name not in qkdpost.__all__:
        return None
    domain = environment.domains["py"]
    path = ".".join(("qkdpost", name, *rest))
    return domain.resolve_xref(environment, node["refdoc"], app.builder, "obj", path, node, inside)


def whole_text(docstring: GoogleDocstring) -> list[str]:
    """Return the docstring of a property as it stands, where napoleon would take what is before a colon for a type."""
    return list(docstring._consume_to_end())


def setup(app: Sphinx) -> dict[str, Any]:
    GoogleDocstring._parse_attribute_docstring = whole_text  # type: ignore[method-assign]
    app.add_directive("names", Names)
    app.add_directive("room", Room)
    app.add_directive("argument", Argument)
    app.connect("doctree-read", link_code)
    app.connect("missing-reference", find_at_the_top)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
