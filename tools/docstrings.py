"""Reads what `autograde.testing` says of itself: docstrings, signatures, fields and examples, by public name.

A docstring is Markdown. It ends with its examples, each indented below a line `Example:`, or `Example, <caption>:`. An
example is divided by comments: `# In the notebook`, `# In the hidden test`, `# In <file>`, `# A student reads`.

Signatures are the source's own lines, so that the page is the same whichever Python writes it.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from autograde import testing
from autograde.course import Assignment

NOTEBOOK, TEST, MESSAGE = "the notebook", "the hidden test", "message"
RECEIVED = {
    "Student": "student",
    "Function": "student.f",
    "RemoteObject": "layer",
    "Cost": "Cost",
    "StudentError": "StudentError",
}
"""classes that a check receives objects of and does not construct, and how the examples call one"""
INSTANCES = RECEIVED | {"Oracle": "oracle"}
"""what is written before a method's name"""


@dataclass(frozen=True)
class Example:
    """One example of a docstring."""

    caption: str
    source: str

    @property
    def parts(self) -> dict[str, str]:
        """NOTEBOOK, TEST, MESSAGE or a file's name -> what belongs there."""
        _, *pieces = re.split(r"^# (?:In (.+)|A student reads)\n", self.source, flags=re.MULTILINE)
        return {name or MESSAGE: text.strip() for name, text in zip(pieces[::2], pieces[1::2], strict=True)}


@dataclass(frozen=True)
class Documented:
    """A public name, dotted below `autograde.testing`."""

    name: str

    @property
    def thing(self) -> Any:
        _, _, member = self.name.partition(".")
        return getattr(self._first, member) if member else self._first

    @property
    def _first(self) -> Any:
        first = self.name.partition(".")[0]
        return Assignment if first == Assignment.__name__ else getattr(testing, first)

    @property
    def _definer(self) -> Any:
        """Of a method the class that defines it, which may be a base class; else what the name begins with."""
        member = self.name.partition(".")[2]
        if not (inspect.isclass(self._first) and member):
            return self._first
        return next(base for base in self._first.__mro__ if member in vars(base))

    @property
    def title(self) -> str:
        """The name as an author writes it: student.cost, layer.eval, contract.no_alias."""
        owner, _, member = self.name.partition(".")
        return f"{INSTANCES.get(owner, owner)}.{member}" if member else RECEIVED.get(owner, owner)

    @property
    def text(self) -> str:
        """The docstring above its examples."""
        return str(self._pieces[0]).strip()

    @property
    def examples(self) -> list[Example]:
        captions, sources = self._pieces[1::2], map(textwrap.dedent, self._pieces[2::2])
        return [
            Example(caption or "", source.strip().replace("'''", '"""'))
            for caption, source in zip(captions, sources, strict=True)
        ]

    @property
    def signature(self) -> str:
        """How it is called or constructed; empty if it is neither."""
        called = self._constructor if isinstance(self._node, ast.ClassDef) else self._node
        if not isinstance(called, ast.FunctionDef):
            return ""
        header = textwrap.dedent("\n".join(self._lines[called.lineno - 1 : called.body[0].lineno - 1]))
        if isinstance(self.thing, property):
            return header.replace(f"def {called.name}(self) ->", f"{self.title}:").removesuffix(":")
        header = header.replace(f"def {called.name}", self.title).removesuffix(":").removesuffix(" -> None")
        header = re.sub(r"(?<=\()self(, )?|^ +self,\n", "", header, flags=re.MULTILINE)
        if any(ast.unparse(decorator).endswith("contextmanager") for decorator in called.decorator_list):
            header = header.replace("-> Iterator[", "-> AbstractContextManager[")
        # A composite strategy passes `draw` itself, and gives a strategy of what its function returns.
        return re.sub(r"^ +draw: .+\n((?:.*\n)*\) -> )(.+)", r"\1SearchStrategy[\2]", header, flags=re.MULTILINE)

    @property
    def fields(self) -> dict[str, str]:
        """`name: type = default` of each field of a dataclass -> what the source says below it."""
        if not isinstance(self._node, ast.ClassDef):
            return {}
        following = [*self._node.body[1:], None]
        return {
            ast.get_source_segment("\n".join(self._lines), field) or "": _string(after)
            for field, after in zip(self._node.body, following, strict=True)
            if isinstance(field, ast.AnnAssign) and not ast.unparse(field.target).startswith("_")
        }

    @property
    def constants(self) -> dict[str, tuple[str, ...]]:
        """The lists of names that a module holds."""
        if not inspect.ismodule(self.thing):
            return {}
        return {f"{self.title}.{name}": value for name, value in vars(self.thing).items() if isinstance(value, tuple)}

    @property
    def members(self) -> list[str]:
        """Public functions of a module; public methods and properties of a class. An exception's are the engine's."""
        if inspect.isclass(self.thing) and issubclass(self.thing, BaseException):
            return []
        return [
            f"{self.name}.{name}"
            for name, part in self._parts.items()
            if name[0] != "_" and (isinstance(part, property) or inspect.isfunction(part))
        ]

    @property
    def _parts(self) -> dict[str, Any]:
        """What a class has from the engine, its base classes included, or what a module's package defines."""
        if inspect.isclass(self.thing):
            bases = [base for base in self.thing.__mro__ if base.__module__.startswith("autograde.")]
            return {name: part for base in reversed(bases) for name, part in vars(base).items()}
        package: str = getattr(self.thing, "__module__", self.thing.__name__)
        parts = getattr(self.thing, "__dict__", {}).items()
        return {name: part for name, part in parts if f"{getattr(part, '__module__', '')}.".startswith(f"{package}.")}

    @property
    def _constructor(self) -> ast.FunctionDef | None:
        found = (part for part in self._node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__")
        return None if self.name in RECEIVED else next(found, None)

    @cached_property
    def _lines(self) -> list[str]:
        """Of the module where its definition is."""
        defined = self.thing if inspect.ismodule(self._first) else self._definer
        return inspect.getsource(sys.modules[getattr(defined, "__module__", defined.__name__)]).splitlines()

    @cached_property
    def _node(self) -> Any:
        """Its definition, found by name: what a decorator returns has no source of its own."""
        node: Any = ast.parse("\n".join(self._lines))
        names = self.name.split(".")
        if inspect.isclass(self._definer):
            names[0] = self._definer.__name__
        for name in names[1:] if inspect.ismodule(self._first) else names:
            # The last one: the overloads of a function come before its definition.
            node = [part for part in node.body if getattr(part, "name", "") == name][-1]
        return node

    @cached_property
    def _pieces(self) -> list[Any]:
        return re.split(r"^Example(?:, (.+))?:\n", ast.get_docstring(self._node) or "", flags=re.MULTILINE)


def _string(node: ast.stmt | None) -> str:
    """The text of a statement that is nothing but a string; empty for any other."""
    match node:
        case ast.Expr(value=ast.Constant(value=str() as text)):
            return inspect.cleandoc(text)
    return ""


def public_names() -> Iterator[str]:
    """Every name that a hidden test may use."""
    for name in testing.__all__:
        yield name
        yield from Documented(name).members
