"""The project's Python files, parsed once, and the rules that read them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
TREES = ("benchmarks", "src", "tests", "tools")

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
MAX_PARAMETERS = 6

_SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|(CREATE|ALTER|DROP|TRUNCATE|LOCK)\s+\w+)\b",
    re.DOTALL,
)

_CHANCE = re.compile(r"^(time|datetime|random|secrets|uuid|tempfile|gzip)\.|(^|\.)(token_bytes|token_hex|urandom)$")
"""Calls that make something else each time; gzip notes when it packed."""

_SECRET_NAME = re.compile(r"(^|_)(key|secret|password|token|credential)s?$")
_PLAIN = re.compile(r"\b(str|bytes)\b")
_HIDDEN = re.compile(r"\bSecret(Str|\[)")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python file; `name` is its path below the root, in posix form."""

    name: str
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, name: str, text: str) -> Module:
        """The module that `text` is."""
        return cls(name, text, ast.parse(text))

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All of its tree: a walk takes longer than the rules that look at it."""
        return tuple(ast.walk(self.tree))

    def functions(self) -> Iterator[tuple[str, Function]]:
        """Every function with its place, as `path:function`."""
        for node in self.nodes:
            if isinstance(node, Function):
                yield f"{self.name}:{node.name}", node


def modules() -> tuple[Module, ...]:
    """All files under the project's trees, sorted by name."""
    return tuple(module for tree in TREES for module in _files(tree))


def package_modules() -> tuple[Module, ...]:
    """Only what is shipped."""
    return _files("src")


@cache
def _files(tree: str) -> tuple[Module, ...]:
    paths = sorted((ROOT / tree).rglob("*.py"))
    return tuple(Module.of(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths)


def oversized(module: Module) -> dict[str, str]:
    """Places over a bound and by how much."""
    found = {}
    if (lines := module.text.count("\n")) > MAX_FILE_LINES:
        found[module.name] = f"{lines} lines"
    for place, function in module.functions():
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > MAX_FUNCTION_LINES:
            found[place] = f"{lines} lines"
        elif (count := _parameters(function)) > MAX_PARAMETERS:
            found[place] = f"{count} parameters"
    return found


def _parameters(function: Function) -> int:
    """How many a caller has to know, without self and cls; 0 for a constructor that takes keywords only."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    if positional and positional[0].arg in {"self", "cls"}:
        positional = positional[1:]
    if function.name == "__init__" and not positional and arguments.vararg is None:
        return 0
    starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    return len(positional) + len(arguments.kwonlyargs) + len(starred)


def swallowing_handlers(module: Module) -> list[str]:
    """Handlers that catch everything and do not raise it again."""
    found = []
    for node in module.nodes:
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        names = {name.id if isinstance(name, ast.Name) else "" for name in caught} if node.type else {"Exception"}
        last = node.body[-1]
        raises_again = isinstance(last, ast.Raise) and last.exc is None
        if names & {"Exception", "BaseException"} and not raises_again:
            found.append(f"{module.name}:{node.lineno}")
    return found


def assembled_sql(module: Module) -> list[str]:
    """Strings that read like SQL and are put together from parts with f"", %, + or format."""
    return [
        f"{module.name}:{node.lineno}"
        for node in module.nodes
        if isinstance(node, ast.JoinedStr | ast.BinOp | ast.Call) and _SQL.search(_literal_of(node))
    ]


def _literal_of(node: ast.JoinedStr | ast.BinOp | ast.Call) -> str:
    """The fixed text of an assembled string, empty where `node` is none."""
    if isinstance(node, ast.JoinedStr):
        assembled = any(isinstance(part, ast.FormattedValue) for part in node.values)
        return " ".join(_constant(part) or "?" for part in node.values) if assembled else ""
    if isinstance(node, ast.BinOp):
        literals = _constant(node.left) or _constant(node.right)
        return literals if isinstance(node.op, ast.Mod | ast.Add) else ""
    if isinstance(node.func, ast.Attribute) and node.func.attr in {"format", "format_map"}:
        return _constant(node.func.value)
    return ""


def _constant(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def prints(module: Module) -> list[str]:
    """Calls of print."""
    return [
        f"{module.name}:{node.lineno}"
        for node in module.nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def loose_tasks(module: Module) -> list[str]:
    """Tasks started on the event loop itself, where nobody would see them fail."""
    return [
        f"{module.name}:{node.lineno}"
        for node in module.nodes
        if isinstance(node, ast.Attribute)
        and node.attr in {"create_task", "ensure_future"}
        and re.search(r"(^asyncio|loop(\(\))?)$", ast.unparse(node.value))
    ]


def unstable_cases(module: Module) -> list[str]:
    """Cases whose names or order differ from one process to the next, so that two of them could not share the tests."""
    return [
        f"{module.name}:{case.lineno}"
        for node in module.nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "parametrize"
        for case in (*_unordered(node.args[1]), *_by_chance(node))
    ]


def _unordered(cases: ast.expr) -> Iterator[ast.expr]:
    """The cases themselves where they are a set; a set among them is a value like others."""
    called = ast.unparse(cases.func) if isinstance(cases, ast.Call) else ""
    if isinstance(cases, ast.Set | ast.SetComp) or called in {"set", "frozenset"}:
        yield cases
    elif isinstance(cases, ast.Call) and called in {"list", "tuple"}:
        yield from _unordered(cases.args[0])
    elif isinstance(cases, ast.ListComp | ast.GeneratorExp):
        for part in cases.generators:
            yield from _unordered(part.iter)
    elif isinstance(cases, ast.List | ast.Tuple):
        for case in cases.elts:
            if isinstance(case, ast.Starred):
                yield from _unordered(case.value)


def _by_chance(node: ast.AST) -> Iterator[ast.expr]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            if any(keyword.arg == "id" for keyword in child.keywords):
                continue
            if _CHANCE.search(ast.unparse(child.func)):
                yield child
        yield from _by_chance(child)


def bare_secrets(module: Module) -> list[str]:
    """Fields and constructors' parameters that are named like secrets and typed as plain text, as `path:Class.name`."""
    found = []
    for node in module.nodes:
        if not isinstance(node, ast.ClassDef):
            continue
        for name, kind in _typed_names(node):
            text = ast.unparse(kind)
            if _SECRET_NAME.search(name) and _PLAIN.search(text) and not _HIDDEN.search(text):
                found.append(f"{module.name}:{node.name}.{name}")
    return found


def _typed_names(kind: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for node in kind.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.annotation
        elif isinstance(node, ast.FunctionDef) and node.name == "__init__":
            for argument in (*node.args.args, *node.args.kwonlyargs):
                if argument.annotation:
                    yield argument.arg, argument.annotation
