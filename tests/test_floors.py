"""The floors of the package: a module imports only from floors below its own."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import bulkmail

PACKAGE = Path(bulkmail.__file__).parent

FLOORS = [
    {"value_class", "import_later", "process_end", "child_environment"},
    {"errors", "clock", "address", "secret", "fate", "version"},
    {"smtp", "campaign"},
    {"message", "outcome", "settings"},
    {"transport", "online", "gateway", "delivery", "ledger", "report", "schedule"}
    | {"cluster", "sink"},
    {"app"},
    {"cli", "web"},
    {"__main__"},  # the door: it opens on a command
]
TOP = len(FLOORS)
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}

# smtp/ is sans-IO: it never sees a socket, an event loop, a clock or a dice.
FORBIDDEN_IN_SMTP = {"asyncio", "ssl", "socket", "time", "random", "logging"}

MODULES = sorted(p.relative_to(PACKAGE) for p in PACKAGE.rglob("*.py"))


def unit(path: Path) -> str:
    """The floor's resident a file belongs to: smtp/reply.py -> smtp."""
    return path.parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Absolute dotted names of everything a file imports."""
    package = ["bulkmail", *path.parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse((PACKAGE / path).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = [*base, node.module] if node.module else base
            found |= {".".join([*stem, alias.name]) for alias in node.names}
    return found


def file_of(name: str) -> Path | None:
    """The file of the package that a dotted name is, or lies in; None: it is nothing of ours."""
    parts = name.split(".")
    while len(parts) > 1 and parts[0] == "bulkmail":
        stem = Path(*parts[1:])
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if (PACKAGE / path).is_file():
                return path
        parts.pop()
    return None


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_go_down(path: Path) -> None:
    here = unit(path)
    if here == "__init__":
        return
    for name in imports(path):
        root, _, rest = name.partition(".")
        below = rest.partition(".")[0]
        if root == "bulkmail" and below != here:
            assert FLOOR_OF.get(below, TOP) < FLOOR_OF[here], f"{path} imports {name}"


@pytest.mark.parametrize("path", [p for p in MODULES if unit(p) == "smtp"], ids=str)
def test_smtp_is_sans_io(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & FORBIDDEN_IN_SMTP


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Nor where an import waits inside a function, or is for types alone."""
    known = {path: {file_of(name) for name in imports(path)} - {None, path} for path in MODULES}
    TopologicalSorter(known).prepare()  # raises CycleError, which names them
