from importlib.metadata import version

import pytest

import bulkmail


@pytest.mark.parametrize("name", bulkmail.__all__)
def test_what_is_promised_is_there(name: str) -> None:
    assert getattr(bulkmail, name) is not None


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sendall'"):
        bulkmail.sendall  # noqa: B018  # the look-up is the test


def test_every_name_is_found_where_type_checkers_look() -> None:
    assert set(bulkmail._HOMES) | {"__version__"} == set(bulkmail.__all__)


def test_the_version_is_the_one_that_is_installed() -> None:
    assert bulkmail.__version__ == version("bulkmail")
