"""Templates that go on without an end, or make what no message holds: faults of the row."""

from typing import Any

import pytest
from message.sample_project import Project, delivery

ROW: dict[str, Any] = {"name": "Wei", "number": 13800138000}


def _loop(body: str, items: str = "range(9999)") -> str:
    return f"{{% for i in {items} %}}{body}{{% endfor %}}"


def _growing(start: str, then: str) -> str:
    return f"{{% set n = namespace(x={start}) %}}{_loop(then, 'range(99)')}"


ENDLESS = {
    "loops in loops": _loop(_loop(_loop(""))),
    "a loop over what is passed over": _loop(_loop("", "range(9999) if false")),
    "long lists": _loop("{{ range(9999) | sum }}"),
    "a macro": "{% macro m(n) %}{{ (m(n - 1) ~ m(n - 1)) if n }}{% endmacro %}{{ m(60) }}",
    "a recursive loop": (
        "{% for x in [1] recursive %}{{ loop([1, 1]) if loop.depth < 60 }}{% endfor %}"
    ),
    "includes": (
        "{% set n = n | default(0) + 1 %}{% if n < 60 %}"
        "{% include 'offer.txt.j2' %}{% include 'offer.txt.j2' %}{% endif %}"
    ),
    "a block": "{% block a %}{{ 'x' * 9999 }}{% endblock %}" + _loop("{% set _ = self.a() %}"),
    "a set": "{% set x %}" + _loop("{{ name * 9999 }}") + "{% endset %}",
    "includes in a set": "{% set x %}" + _loop("{% include 'long.j2' %}") + "{% endset %}",
    "doubling by ~": _growing("'ab'", "{% set n.x = n.x ~ n.x %}"),
    "doubling by +": _growing("[1]", "{% set n.x = n.x + n.x %}"),
    "doubling by a set": _growing("'ab'", "{% set n.x %}{{ n.x }}{{ n.x }}{% endset %}"),
    "doubling by extend": _growing("[1]", "{% set _ = n.x.extend(n.x) %}"),
    "replace": "{{ ('a' * 9999) | replace('a', 'b' * 9999) }}",
    "str.replace": "{{ ('a' * 9999).replace('a', 'b' * 9999) }}",
    "join": "{{ (['a' * 9999] * 9999) | join }}",
    "join with much between": "{{ range(9999) | map('string') | join('a' * 9999) }}",
    "str.join": "{{ ('a' * 9999).join(name * 999) }}",
    "many wide ones": "{{ range(9999) | map('center', 9999) | list | length }}",
}


@pytest.mark.parametrize("source", ENDLESS.values(), ids=ENDLESS)
async def test_what_goes_on_without_an_end_is_a_fault_of_its_row(
    project: Project, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    # A fiftieth of what a rendering may cost, so that the test is quick.
    monkeypatch.setattr("bulkmail.message.templates.bounds.BUDGET", 1_000_000)
    project.template("long.j2", "0123456789" * 100)
    project.template("offer.txt.j2", source)

    (fault,) = await project.faults(ROW, text="offer.txt.j2")

    assert fault.message.startswith("goes too far: ")
    assert (fault.row, fault.line) == (1, 1)


@pytest.mark.parametrize(
    "source",
    [
        "{{ name | center(99999999999) }}",
        "{{ name | indent(width=99999999999) }}",
        "{{ [name] | batch(99999999999, name) | list }}",
        "{{ name.ljust(number) }}",
        "{{ '%99999999999d' % 1 }}",
        "{{ '%*d' % (number, 1) }}",
        "{{ '%.99999999999f' | format(1) }}",
        "{{ '{:>99999999999}'.format(name) }}",
        "{{ '{:>{w}}'.format(name, w=number) }}",
        "{{ '{n:>{w}}'.format_map({'n': name, 'w': number}) }}",
    ],
)
async def test_a_width_beyond_any_line_is_a_fault_of_its_row(project: Project, source: str) -> None:
    project.template("offer.txt.j2", source)

    (fault,) = await project.faults(ROW, text="offer.txt.j2")

    assert fault.message.startswith("asks for a width of ")
    assert fault.message.endswith("; 10000 is the most")
    assert (fault.row, fault.line) == (1, 1)


async def test_a_number_that_grows_without_an_end_is_a_fault_of_its_row(project: Project) -> None:
    project.template("offer.txt.j2", _growing("99", "{% set n.x = n.x * n.x %}"))

    (fault,) = await project.faults(ROW, text="offer.txt.j2")

    assert fault.message == "makes a number with too many digits"


async def test_numbers_that_are_no_widths_may_be_large(project: Project) -> None:
    project.template(
        "offer.txt.j2",
        "{{ number | tojson }} {{ '%d' % number }} {{ '{}'.format(number) }} {{ '%5d' % 7 }} "
        "{{ name | center(9) }} {{ [1, 2, 3] | batch(2) | list }} {{ number + 1 }} {{ 6 * 7 }}",
    )

    mail = await project.compose(ROW, text="offer.txt.j2")

    assert project.text(mail) == (
        "13800138000 13800138000 13800138000     7    Wei    [[1, 2], [3]] 13800138001 42\n"
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ 'Tel.: {}'.format(number) }}", "Tel.: 13800138000"),
        ("{{ 'https://x.example/{}'.format(number) }}", "https://x.example/13800138000"),
        ("{{ 'Tel.: 13800138000, {}'.format(name) }}", "Tel.: 13800138000, Wei"),
        ("{{ '5%% (12345 of them), %s' % name }}", "5% (12345 of them), Wei"),
        ("{{ '5%% * %d' | format(number) }}", "5% * 13800138000"),
        ("{{ '%(12345)s' % {'12345': number} }}", "13800138000"),
    ],
)
async def test_numbers_beside_what_is_filled_in_are_no_widths(
    project: Project, source: str, text: str
) -> None:
    project.template("offer.txt.j2", source)

    mail = await project.compose(ROW, text="offer.txt.j2")

    assert project.text(mail) == f"{text}\n"


@pytest.mark.parametrize(
    "source",
    [
        _loop("{% for j in range(50) if i == j %}" + "x" * 2000 + "{% endfor %}", "range(50)"),
        _loop("{% if i == 7 %}" + "x" * 20_000 + "{% elif i %}-{% endif %}", "range(100)"),
        _loop("{% if i != 7 %}-{% else %}" + "x" * 20_000 + "{% endif %}", "range(100)"),
        "{% set n = namespace(x='') %}"
        + _loop("{% set n.x = n.x ~ 'a line' %}", "range(999)")
        + "{{ n.x | length }}",
        "{% set n = namespace(x=[]) %}"
        + _loop("{% set n.x = n.x + [i] %}", "range(999)")
        + "{{ n.x | length }}",
    ],
)
async def test_what_is_passed_over_or_added_to_costs_little(
    project: Project, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setattr("bulkmail.message.templates.bounds.BUDGET", 500_000)
    project.template("offer.txt.j2", source)

    mail = await project.compose(ROW, text="offer.txt.j2")

    assert project.text(mail)


@pytest.mark.parametrize(
    "body", ["{% if i >= 0 %}TEXT{% endif %}", "{% if i < 0 %}{% else %}TEXT{% endif %}"]
)
async def test_what_is_long_behind_an_if_is_paid_for(
    project: Project, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    monkeypatch.setattr("bulkmail.message.templates.bounds.BUDGET", 500_000)
    project.template("offer.txt.j2", _loop(body.replace("TEXT", "x" * 9_999), "range(99)"))

    (fault,) = await project.faults(ROW, text="offer.txt.j2")

    assert fault.message.startswith("goes too far: ")


async def test_filters_take_their_arguments_by_name(project: Project) -> None:
    project.template(
        "offer.txt.j2",
        "{{ 'aaa' | replace('a', 'b', count=1) }} {{ 'a' | replace(old='a', new='b') }} "
        "{{ [1, 2] | join(d='-') }} {{ [{'n': 1}, {'n': 2}] | join('+', attribute='n') }} "
        "{{ ['x', 'y'] | map('replace', 'x', 'z') | join }} {{ name | center(width=5) }} "
        "{{ [1] | batch(2, fill_with=99999) | list }} {{ 'aa'.replace('a', 'b', 1) }}",
    )

    mail = await project.compose(ROW, text="offer.txt.j2")

    assert project.text(mail) == "baa b 1-2 1+2 zy  Wei  [[1, 99999]] ba\n"


async def test_each_row_may_make_as_much_as_the_one_before(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkmail.message.templates.bounds.BUDGET", 5_000)
    project.template("offer.txt.j2", _loop("{{ i }}", "range(50)"))
    composer = project.composer(text="offer.txt.j2")

    mails = [await composer.compose(delivery(row, **ROW), project.instant) for row in range(1, 10)]

    assert {len(project.text(mail)) for mail in mails} == {10 + 2 * 40 + 1}
