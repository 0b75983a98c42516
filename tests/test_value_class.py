"""Classes of values: what a frozen dataclass does, they do."""

from __future__ import annotations

import pickle
from dataclasses import asdict, field, fields, replace

import pytest

from bulkmail.secret import Secret
from bulkmail.value_class import record_class, value_class


@value_class
class Stamp:
    country: str
    cents: int = 95
    seen: list[str] = field(default_factory=list, compare=False)
    hidden: str = field(default="", repr=False)


@value_class(kw_only=True)
class Rare(Stamp):
    year: int

    def __repr__(self) -> str:
        return f"the {self.year} one"


def test_values_are_equal_by_what_is_compared() -> None:
    assert Stamp("no", seen=["a"]) == Stamp("no", 95, ["b"])
    assert Stamp("no") != Stamp("no", 80)
    assert Stamp("no") != Rare(country="no", year=1855)
    assert {Stamp("no"), Stamp("no", seen=["x"])} == {Stamp("no")}


def test_values_show_what_is_to_be_shown() -> None:
    assert repr(Stamp("no", hidden="secret")) == "Stamp(country='no', cents=95, seen=[])"
    assert repr(Rare(country="se", year=1855)) == "the 1855 one"


def test_values_are_dataclasses_to_others() -> None:
    stamp = Stamp("no", 80, ["a"])

    assert replace(stamp, cents=90) == Stamp("no", 90)
    assert [each.name for each in fields(stamp)] == ["country", "cents", "seen", "hidden"]
    assert asdict(stamp) == {"country": "no", "cents": 80, "seen": ["a"], "hidden": ""}
    match stamp:
        case Stamp("no", cents):
            assert cents == stamp.cents
        case _:
            pytest.fail("it is matched by position")


def test_nobody_looks_at_the_signature_of_a_class_without_a_docstring() -> None:
    @value_class
    class Bare:
        text: str

    assert Bare.__doc__ == Bare.__name__


def test_values_have_room_for_their_fields_alone() -> None:
    with pytest.raises(AttributeError):
        Stamp("no").colour = "blue"  # type: ignore[attr-defined]  # what is tested


def test_values_are_made_of_what_their_fields_say() -> None:
    first, second = Stamp("no"), Stamp(country="no", hidden="x")

    assert (first.cents, first.seen, second.hidden) == (95, [], "x")
    assert first.seen is not second.seen
    assert Rare("se", 5, year=1855).year == 1855
    with pytest.raises(TypeError, match=r"Rare\.__init__\(\) missing .*'year'"):
        Rare("se")  # type: ignore[call-arg]  # what is tested
    with pytest.raises(TypeError, match=r"takes from 2 to 5 .* 6 were given"):
        Stamp("no", 1, [], "", "more")  # type: ignore[call-arg]  # what is tested


def test_values_go_to_another_process() -> None:
    rare = Rare(country="se", year=1855, seen=["a"])

    assert pickle.loads(pickle.dumps(rare)) == rare  # noqa: S301  # our own


def test_a_value_that_holds_a_secret_goes_nowhere() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Stamp(Secret("x")))  # type: ignore[arg-type]  # what is tested


def test_a_value_with_a_field_that_has_no_hash_has_none() -> None:
    with pytest.raises(TypeError):
        hash(Stamp(["no"]))  # type: ignore[arg-type]  # what is tested


def test_what_a_class_makes_of_its_values_itself_stays() -> None:
    @value_class
    class Counted:
        one: int

        def __init__(self, text: str) -> None:
            object.__setattr__(self, "one", int(text))

    assert Counted("7").one == 7


def test_a_field_may_have_any_name() -> None:
    @value_class
    class Single:
        one: int

    assert Single(one=1).one == 1


@record_class(kw_only=True)
class Count:
    so_far: int = 0
    of: list[str] = field(default_factory=list)


@record_class(eq=False)
class Place:
    taken: bool


def test_records_are_changed_and_equal_by_what_they_hold() -> None:
    count, other = Count(so_far=1), Count(of=["a"])

    count.so_far += 1
    other.so_far = 2

    assert repr(count) == "Count(so_far=2, of=[])"
    assert count != other
    assert count == Count(so_far=2)
    with pytest.raises(TypeError, match="unhashable"):
        hash(count)


def test_a_record_may_be_like_itself_alone() -> None:
    place, other = Place(taken=True), Place(taken=True)

    assert place != other
    assert {place, other, place} == {other, place}
    assert repr(place) == "Place(taken=True)"
