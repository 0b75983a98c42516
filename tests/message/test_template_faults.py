"""What a person is told when a template does not fit: file, line, row, nearest name."""

from typing import Any

import pytest
from message.sample_project import Project, delivery

from bulkmail.errors import ConfigurationError, Fault
from bulkmail.message.faults import RowFaults

ROW: dict[str, Any] = {"name": "Wei", "salary": "100", "employee id": "7", "none": None}
_NEAREST = (
    '`{{ employee_id }}` is not a column of offer.csv. Did you mean `recipient["employee id"]`?'
)


def told(faults: list[Fault]) -> list[tuple[str, int | None, str]]:
    return [((fault.path or "").rpartition("/")[2], fault.line, fault.message) for fault in faults]


async def test_an_undefined_name_has_its_line_the_row_and_the_nearest_column(
    project: Project,
) -> None:
    project.template("offer.txt.j2", "Dear {{ name }},\n\nyou get {{ salery }}.\n")
    composer = project.composer(text="offer.txt.j2")

    with pytest.raises(RowFaults) as caught:
        await composer.compose(delivery(row=17, **ROW), project.instant)

    (fault,) = caught.value.faults
    assert fault.path is not None
    assert fault.path.endswith("templates/offer.txt.j2")
    assert (fault.line, fault.row, fault.address) == (3, 17, "li.wei@example.com")
    assert fault.message == ("`{{ salery }}` is not a column of offer.csv. Did you mean `salary`?")


async def test_all_undefined_names_of_a_row_are_told_in_one_go(project: Project) -> None:
    project.template("inc.txt.j2", "\n{{ nme.first }}\n")
    project.template(
        "offer.txt.j2", "{{ nam }}\n{{ salery | round }} {{ nam }}\n{% include 'inc.txt.j2' %}"
    )
    project.template("offer.html.j2", "{% for x in rows %}{% endfor %}{% if ok %}{% endif %}")

    faults = await project.faults(
        ROW, subject="{{ sub }}", text="offer.txt.j2", html="offer.html.j2"
    )

    assert [(where, line) for where, line, _ in told(faults)] == [
        ("offer.yaml", 2),
        ("offer.html.j2", 1),
        ("offer.html.j2", 1),
        ("offer.txt.j2", 1),
        ("offer.txt.j2", 2),
        ("offer.txt.j2", 2),
        ("inc.txt.j2", 2),
    ]


@pytest.mark.parametrize("name", ["items", "keys", "values", "copy", "get"])
async def test_a_column_goes_before_what_every_mapping_has(project: Project, name: str) -> None:
    source = f"{{{{ recipient.{name} }}}}, {{{{ order.{name} }}}}"
    project.template("offer.txt.j2", source)

    mail = await project.compose(ROW | {name: "2", "order": {name: "3"}}, text="offer.txt.j2")

    assert project.text(mail) == "2, 3\n"


@pytest.mark.parametrize(
    ("source", "own"),
    [
        ("{{ recipient.items }}", "items"),
        ("{{ self }}", "TemplateReference"),
        ("{% for x in [1] %}{{ loop }}{% endfor %}", "LoopContext"),
        ("{% macro m() %}{% endmacro %}{{ m }}", "Macro"),
    ],
)
async def test_what_jinja_brings_along_is_not_put_out(
    project: Project, source: str, own: str
) -> None:
    project.template("offer.txt.j2", f"Dear {{{{ name }}}},\n{source}\n")

    (fault,) = await project.faults(ROW, text="offer.txt.j2")

    assert (fault.line, fault.row) == (2, 1)
    assert fault.message == f"puts out jinja's own `{own}`, where a value is meant"


async def test_lines_are_those_of_includes_parents_and_macros(project: Project) -> None:
    project.template("macros.j2", "{% macro m() %}\n\n\n{{ in_macro }}{% endmacro %}")
    project.template("base.html.j2", "<p>\n{% block a %}{% endblock %}\n{{ in_base }}</p>")
    project.template(
        "offer.html.j2",
        "{% extends 'base.html.j2' %}\n{% from 'macros.j2' import m %}\n"
        "{% block a %}\n{{ m() }}\n{{ in_block }}{% endblock %}",
    )

    faults = await project.faults(ROW, html="offer.html.j2")

    assert [(where, line) for where, line, _ in told(faults)] == [
        ("macros.j2", 4),
        ("offer.html.j2", 5),
        ("base.html.j2", 3),
    ]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ 1 / 0 }}", "cannot be rendered: ZeroDivisionError: division by zero"),
        ("{{ name + 1 }}", "cannot be rendered: TypeError: can only concatenate str"),
        ("{{ ''.__class__ }}", "the templates' sandbox refuses this: "),
        ("{{ range(1000000) | sum }}", "goes through more than 100,000 numbers"),
        ("{% for x in range(10 ** 30) %}{% endfor %}", "goes through more than 100,000 numbers"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "templates include or call"),
        ("{% include 'self.txt.j2' %}", "templates include or call"),
        ("{% include name %}", "the template `Wei` is not in "),
        ("{{ recipient.salery }}", '`recipient["salery"]` is not a column of offer.csv. Did you'),
        ("{{ employee_id }}", _NEAREST),
        ("{{ name.first }}", "`first` is not in that text"),
        ("{{ missing() }}", "`{{ missing }}` is not a column"),
        ("{{ missing | length }}{{ missing | abs }}", "`{{ missing }}` is not a column"),
        ("{{ missing == 1 }}", "`{{ missing }}` is not a column"),
        ("{{ 'x' in missing }}", "`{{ missing }}` is not a column"),
        ("{{ missing ~ 1 }}", "`{{ missing }}` is not a column"),
        ("{{ missing['x']['y'] }}", "`{{ missing }}` is not a column"),
        ("{{ '%s' | format(missing) }}", "`{{ missing }}` is not a column"),
        ("{{ name }}\0", "a NUL"),
        ("{{ '-' * 10 ** 9 }}", "makes more than 10 million characters"),
        ("{{ 10 ** 9 * '-' }}", "makes more than 10 million characters"),
        ("{{ ([name] * 10 ** 12) | length }}", "makes more than 10 million characters"),
        ("{{ 10 ** (10 ** 9) }}", "makes a number with too many digits"),
    ],
)  # fmt: skip
async def test_whatever_a_template_raises_becomes_a_fault_at_its_line(
    project: Project, source: str, message: str
) -> None:
    project.template("self.txt.j2", "{% include 'self.txt.j2' %}")
    project.template("offer.txt.j2", f"\n{source}")

    (fault,) = await project.faults(ROW, text="offer.txt.j2")

    assert fault.message.startswith(message)
    assert fault.row == 1
    assert fault.path is not None
    assert (fault.path.rpartition("/")[2], fault.line) in {
        ("offer.txt.j2", 2),
        ("self.txt.j2", 1),
        ("offer.txt.j2", 1),
    }


async def test_text_where_a_number_belongs_is_told_what_makes_one(project: Project) -> None:
    (fault,) = await project.faults(ROW, subject="{% if name > 18 %}adult{% endif %}")

    assert fault.message.endswith("; text is no number: `| int` makes it one")


async def test_a_column_that_a_minus_cuts_in_two_is_proposed_whole(project: Project) -> None:
    (fault,) = await project.faults(ROW | {"E-Mail": "x"}, subject="{{ e-mail }}")

    assert fault.message.endswith('Did you mean `recipient["E-Mail"]`?')


async def test_a_name_may_be_asked_about_without_a_fault(project: Project) -> None:
    project.template(
        "offer.txt.j2",
        "{% if x is defined %}no{% endif %}{{ x | default('none') }} {{ none }}!",
    )

    mail = await project.compose(ROW, text="offer.txt.j2")

    assert project.text(mail) == "none !\n"


async def test_every_template_that_does_not_compile_is_told_in_one_go(project: Project) -> None:
    project.template("bad.txt.j2", "fine\n{% if %}")
    project.template("inner.j2", "\n{{ x | uper }}")
    project.template("offer.html.j2", "{% include 'inner.j2' %}\n{% include 'gone.j2' %}")

    faults = await project.faults(
        ROW, subject="{{ x", text="bad.txt.j2", html="offer.html.j2", headers={"X-A": "{% y %}"}
    )

    assert told(faults) == [
        ("bad.txt.j2", 2, "`%}` stands where a value belongs"),
        ("inner.j2", 2, "there is no filter `uper`. Did you mean `upper`?"),
        ("offer.html.j2", 2, faults[2].message),
        ("offer.yaml", 2, "`}}` is missing"),
        ("offer.yaml", faults[4].line, "there is no tag `{% y %}`"),
    ]
    assert faults[2].message.startswith("the template `gone.j2` is not in ")
    assert [fault.key for fault in faults[3:]] == ["subject", "headers.X-A"]
    assert not any(fault.row for fault in faults)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ name x }}", "`x` stands where `}}` belongs; a column of two words is `recipient["),
        ("{{ x name }}", "`name` stands where `}}` belongs"),
        ("{{ name }", "`}` closes nothing: `{{` needs `}}`"),
        ("{{{ name }}}", "`:` is missing, or `{{{` has a brace too many"),
        ("{{ name. }}", "a name belongs behind a dot"),
        ("{{ name｜upper }}", "`｜`, which is not `|`, means nothing in a template"),
        ("{{ “name” }}", '`“`, which is not `"`, means nothing in a template'),
        ("{# name", "`{#` is never closed: `#}` is missing"),
        ("{% raw %} x", "`{% raw %}` is never closed: `{% endraw %}` is missing"),
        ("{% if a %}{% elseif b %}{% endif %}", "there is no tag `{% elseif %}`. Did you mean"),
        ("{% if a = b %}{% endif %}", "`=` stands where `%}` belongs: two values are compared by"),
        ("{{ name == }}", "`}}` stands where a value belongs"),
        ("{{ (name }}", "`}` stands where `)` belongs"),
        ("{{ name | }}", "`}}` stands where a name belongs"),
        ("{{ 'name }}", "`'` means nothing in a template, or a quote is never closed"),
        ("{{ name && name }}", "`&` means nothing in a template, or a quote is never closed"),
        ("{% if name %}", "`{% if %}` is never closed: `{% endif %}` is missing"),
        ("{% for x in y %}", "`{% for %}` is never closed: `{% endfor %}` is missing"),
        ("{% endif %}", "`{% endif %}` stands where nothing is open that it belongs to"),
        (
            "{% if a %}{% for x in y %}{% endif %}",
            "`{% endif %}` stands within `{% for %}`, which `{% endfor %}` closes",
        ),
        ("{{ name is defind }}", "there is no test `defind`. Did you mean `defined`?"),
    ],
)
async def test_what_is_no_template_is_told_without_the_words_of_a_library(
    project: Project, source: str, message: str
) -> None:
    project.template("offer.txt.j2", source)

    (fault,) = await project.faults(ROW, text="offer.txt.j2")

    assert fault.message.startswith(message)


async def test_dice_are_taken_away_from_templates(project: Project) -> None:
    faults = await project.faults(ROW, subject="{{ [1, 2] | random }}")

    assert faults[0].message.startswith("there is no filter `random`")


async def test_a_template_in_another_encoding_is_told_with_its_line(project: Project) -> None:
    project.file("templates/gb.txt.j2", b"fine\n" + "亲爱的".encode("gb18030"))

    (fault,) = await project.faults(ROW, text="gb.txt.j2")

    assert told([fault])[0][:2] == ("gb.txt.j2", 2)
    assert "utf-8" in fault.message


async def test_half_a_character_from_a_cell_is_a_fault(project: Project) -> None:
    project.template("offer.txt.j2", "{{ name }}")

    (fault,) = await project.faults({"name": "\ud83c"}, text="offer.txt.j2", to="x@y.example")

    assert fault.message == "half a character, U+D83C, from the column `name`"


def test_row_faults_are_a_configuration_error() -> None:
    assert issubclass(RowFaults, ConfigurationError)
    assert RowFaults.exit_code == 2


async def test_a_column_cannot_take_a_reserved_name(project: Project) -> None:
    project.template(
        "offer.txt.j2",
        "{{ campaign }} {{ recipient['campaign'] }} {{ now.year }} {{ recipient.now }}",
    )
    fields: dict[str, Any] = {"campaign": "mine", "now": "then", "recipient": "me"}

    mail = await project.compose(fields, text="offer.txt.j2")

    assert project.text(mail) == "offer mine 2026 then\n"


async def test_a_template_cannot_change_the_row(project: Project) -> None:
    project.template("offer.txt.j2", "{% set _ = tags.append('c') %}{{ tags | join }}")
    tags = ["a", "b"]

    mail = await project.compose({"tags": tags}, text="offer.txt.j2")

    assert project.text(mail) == "abc\n"
    assert tags == ["a", "b"]


async def test_templates_may_include_one_another_in_a_circle(project: Project) -> None:
    project.template("a.j2", "{% if n %}{% include 'b.j2' %}{% endif %}a")
    project.template("b.j2", "{% set n = '' %}{% include 'a.j2' %}b")

    mail = await project.compose({"n": "1"}, text="a.j2")

    assert project.text(mail) == "aba\n"


async def test_a_broken_template_that_two_include_is_told_once(project: Project) -> None:
    project.template("bad.j2", "{% if %}")
    project.template("a.j2", "{% include 'bad.j2' %}")
    project.template("b.html", "{% include 'a.j2' %}{% include 'bad.j2' %}")

    faults = await project.faults(text="a.j2", html="b.html", subject="{% include 'bad.j2' %}")

    assert [where for where, _, _ in told(faults)] == ["bad.j2"]


@pytest.mark.parametrize("piece", ["", "x"], ids=["silent", "telling"])
async def test_a_text_without_an_end_is_a_fault_of_its_row(
    project: Project, monkeypatch: pytest.MonkeyPatch, piece: str
) -> None:
    monkeypatch.setattr("bulkmail.message.templates.bounds.MAX_LENGTH", 1_000_000)
    project.template(
        "offer.txt.j2",
        "{% for i in range(200) %}{% for j in range(100) %}"
        f"{{% if i > 100 %}}{{{{ 'x' * 1000 }}}}{{% else %}}{{{{ '{piece}' }}}}{{% endif %}}"
        "{% endfor %}{% endfor %}",
    )

    (fault,) = await project.faults(ROW, text="offer.txt.j2")

    assert fault.message == "makes more than 1 million characters"
    assert fault.row == 1


async def test_a_long_text_of_many_pieces_is_whole(project: Project) -> None:
    project.template("offer.txt.j2", "{% for i in range(25001) %}{{ i }}\n{% endfor %}")

    mail = await project.compose(ROW, text="offer.txt.j2")

    assert project.text(mail).split() == [str(i) for i in range(25001)]
