"""A module that is imported when it is used."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkmail.import_later import import_later

NAME = "a_slow_module"


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / f"{NAME}.py").write_text("number = 7\ndef twice(of): return 2 * of\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop(NAME, None)


def is_loaded() -> bool:
    """Whether it is there itself."""
    return hasattr(sys.modules[NAME], "__file__")


@pytest.mark.usefixtures("slow")
def test_it_waits_until_something_of_it_is_asked_for() -> None:
    import_later(NAME, "twice")
    namespace: dict[str, int] = {}

    exec(f"import {NAME} as module; from {NAME} import twice", namespace)  # noqa: S102  # what is tested
    assert not is_loaded()

    exec("result = twice(of=3)", namespace)  # noqa: S102  # what is tested
    assert namespace["result"] == 6
    assert is_loaded()
    exec("number, again = module.number, module.twice(4)", namespace)  # noqa: S102  # what is tested
    assert (namespace["number"], namespace["again"]) == (7, 8)


@pytest.mark.usefixtures("slow")
def test_a_name_that_is_no_function_of_those_is_imported_as_ever() -> None:
    import_later(NAME, "twice")
    namespace: dict[str, int] = {}

    exec(f"from {NAME} import number", namespace)  # noqa: S102  # what is tested

    assert namespace["number"] == 7
    with pytest.raises(ImportError):
        exec(f"from {NAME} import nothing", namespace)  # noqa: S102  # what is tested


def test_what_is_there_already_stays() -> None:
    import_later("json")

    assert sys.modules["json"].__file__


def test_a_module_of_a_package_is_found_by_way_of_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dnspython looks for its own features so, and takes for lacking what it cannot ask for."""
    package = tmp_path / "a_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "slow.py").write_text("def twice(of): return 2 * of\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import_later("a_package.slow", "twice")
    namespace: dict[str, int] = {}

    try:
        exec("import a_package.slow; result = a_package.slow.twice(3)", namespace)  # noqa: S102  # what is tested
    finally:
        sys.modules.pop("a_package", None)
        sys.modules.pop("a_package.slow", None)

    assert namespace["result"] == 6
