"""Images that the HTML shows by plain relative paths come along."""

import hashlib
from dataclasses import replace

import pytest
from message.sample_project import INSTANT, Project, delivery

from bulkmail.fate import FileNote
from bulkmail.message.faults import RowFaults


async def test_a_relative_image_becomes_a_part_and_its_source_a_cid(project: Project) -> None:
    project.file("campaigns/images/a b.png", b"\x89PNG")
    project.template(
        "a.html",
        "<p><IMG alt='A' src='images/a%20b.png'> <img src=images/a%20b.png> "
        '<img src="https://example.com/x.png"> <img src="/y.png"> <img src="data:,"></p>',
    )

    mail = await project.compose(html="a.html")

    related = project.parsed(mail)
    alternative, image = related.iter_parts()
    assert alternative.get_content_type() == "multipart/alternative"
    assert image.get_content() == b"\x89PNG"
    assert image.get_filename() == "a b.png"
    cid = image["content-id"].strip("<>")
    assert project.text(mail, "html") == (
        f'<p><IMG alt=\'A\' src="cid:{cid}"> <img src="cid:{cid}"> '
        '<img src="https://example.com/x.png"> <img src="/y.png"> <img src="data:,"></p>\n'
    )


async def test_an_image_written_in_two_ways_comes_along_once(project: Project) -> None:
    project.file("images/a b.png", b"\x89PNG")
    project.template("a.html", '<p><img src="images/a b.png"><img src="images/a%20b.png?2"></p>')

    mail = await project.compose(html="a.html")

    _, *images = project.parsed(mail).iter_parts()
    (cid,) = (image["content-id"].strip("<>") for image in images)
    assert project.text(mail, "html").count(f'src="cid:{cid}"') == 2


@pytest.mark.parametrize(
    "unseen",
    [
        '<!-- <img src="no.png"> -->',
        "<!--\n<img src='no.png'>\n-->",
        "<script>let a = '<img src=\"no.png\">'</script>",
        "<STYLE>/* <img src=no.png> */</STYLE>",
        "<title><img src=no.png></title>",
    ],
)
async def test_what_a_comment_holds_is_not_shown(project: Project, unseen: str) -> None:
    project.file("logo.png", b"\x89PNG")
    project.template("a.html", f'{unseen}<p><img src="logo.png"></p>')

    mail = await project.compose(html="a.html")

    _, *images = project.parsed(mail).iter_parts()
    assert [image.get_filename() for image in images] == ["logo.png"]


async def test_what_outlook_alone_sees_comes_along(project: Project) -> None:
    project.file("logo.png", b"\x89PNG")
    project.template("a.html", '<!--[if mso]><img src="logo.png"><![endif]--><p>x</p>')

    mail = await project.compose(html="a.html")

    assert b"Content-ID: <image-" in project.content(mail)


@pytest.mark.parametrize(
    "shown",
    [
        '<!--[if !mso]><!--><img src="logo.png"><!--<![endif]-->',
        '<!--[if !mso]> --><img src="logo.png"><!-- <![endif]-->',
        '<!---><img src="logo.png"><!-- x -->',
        '<!-- x --!><img src="logo.png"><!-- x -->',
    ],
)
async def test_what_all_but_outlook_see_comes_along(project: Project, shown: str) -> None:
    project.file("logo.png", b"\x89PNG")
    project.template("a.html", f"{shown}<p>x</p>")

    mail = await project.compose(html="a.html")

    assert b"Content-ID: <image-" in project.content(mail)


@pytest.mark.parametrize("unclosed", ["<!-- ", "<title>"])
async def test_a_page_of_what_is_not_closed_is_looked_through_once(
    project: Project, unclosed: str
) -> None:
    """By each of them to the end it would be minutes."""
    project.template("a.html", f'<img src="cid:x">{unclosed * 20_000}')

    mail = await project.compose(html="a.html")

    assert b"Content-ID" not in project.content(mail)


async def test_each_row_brings_its_own_images(project: Project) -> None:
    for name in ("red", "blue"):
        project.file(f"images/{name}.png", name)
    project.template("a.html", '{% for t in teams %}<img src="images/{{ t }}.png">{% endfor %}x')
    composer = project.composer(html="a.html")

    found = []
    for row, teams in enumerate((["red", "blue"], ["blue"], []), 1):
        mail = await composer.compose(delivery(row, teams=teams), INSTANT)
        parts = project.parsed(mail).walk()
        found.append([part.get_content() for part in parts if part["content-id"]])

    assert found == [[b"red", b"blue"], [b"blue"], []]


@pytest.mark.parametrize(
    ("template", "city"),
    [
        ("<p>{{ city | safe }}</p>", '<img src="logo.png">'),
        ('<{{ city | safe }} src="logo.png">', "img"),
        ('<IM{{ city }} src="logo.png">', "G"),
        ('<i{{ city }}g src="logo.png">', "m"),
        ('<img src="{{ city }}">', "logo.png"),
        ('<p>{{ city }}</p>\n<img src="logo.png">\n', "Graz"),
    ],
)
async def test_an_image_is_found_wherever_columns_stand(
    project: Project, template: str, city: str
) -> None:
    project.file("logo.png", b"\x89PNG")
    project.template("a.html", template)

    mail = await project.composer(html="a.html").compose(delivery(1, city=city), INSTANT)

    assert b"Content-ID: <image-" in project.content(mail)


@pytest.mark.parametrize(
    ("keys", "template", "source"),
    [
        ({"html": "a.html"}, "a.html", '<p><img src="images/logo.png"></p>'),
        ({"body": "a.md"}, "a.md", "Hello ![logo](images/logo.png)"),
    ],
)
def test_an_image_of_the_template_is_part_of_what_was_checked(
    project: Project, keys: dict[str, str], template: str, source: str
) -> None:
    project.file("images/logo.png", "old")
    project.template(template, source)
    before = project.composer(**keys).fingerprint()

    project.file("images/logo.png", "new")

    after = project.composer(**keys)
    assert after.fingerprint() != before
    assert after.parts()["images/logo.png"] == hashlib.sha256(b"new").hexdigest()


async def test_an_image_that_a_row_fills_in_is_noted_as_its_own(project: Project) -> None:
    for name in ("logo", "red"):
        project.file(f"images/{name}.png", name)
    project.template("a.html", '<img src="images/logo.png"><img src="images/{{ team }}.png">')

    mail = await project.compose({"team": "red"}, html="a.html")

    assert [file.note for file in mail.files] == [
        None,
        FileNote(
            entry="img images/red.png",
            path=b"images/red.png",
            sha256=hashlib.sha256(b"red").hexdigest(),
        ),
    ]


async def test_an_image_that_changed_after_the_check_fails_its_row(project: Project) -> None:
    project.file("images/red.png", "red")
    project.template("a.html", '<img src="images/{{ team }}.png">')
    composer = project.composer(html="a.html")
    checked = await composer.draft(delivery(team="red"), INSTANT)
    notes = tuple(file.note for file in checked.files if file.note is not None)
    row = replace(delivery(team="red"), files=notes)
    await composer.compose(row, INSTANT)

    project.file("images/red.png", "another")

    with pytest.raises(RowFaults, match=r"red\.png has changed after it was checked"):
        await composer.compose(row, INSTANT)


async def test_an_image_beside_the_template_is_found_last(project: Project) -> None:
    project.file("templates/mail/logo.png", "template's")
    project.template("mail/a.html", '<img src="logo.png">')
    assert b"logo.png" in project.content(await project.compose(html="mail/a.html"))

    project.file("campaigns/logo.png", "campaign's")
    mail = await project.compose(html="mail/a.html")

    (image,) = [part for part in project.parsed(mail).walk() if part["content-id"]]
    assert image.get_content() == b"campaign's"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("images/no.png", "images/no.png does not exist"),
        ("../../x.png", "../../x.png lies outside of the project"),
        ("empty.png", "empty.png is empty"),
        ("images", "images is a folder, where a file belongs"),
    ],
)
async def test_an_image_that_is_not_there_is_the_rows_fault(
    project: Project, source: str, message: str
) -> None:
    project.file("empty.png", "")
    project.file("images/x.png", "x")
    project.file("../x.png", "x")
    project.template("a.html", f'<img src="{source}">')

    (fault,) = await project.faults(html="a.html")

    assert fault.message.startswith(f'<img src="{source}">: {message}')
    assert fault.path is not None
    assert fault.path.endswith("a.html")
    assert fault.row == 1


async def test_an_inline_image_and_one_by_path_stand_side_by_side(project: Project) -> None:
    project.file("logo.png", "logo")
    project.file("x.png", "x")
    project.file("a.pdf", "pdf")
    project.template("a.html", '<img src="cid:logo"><img src="x.png">')

    mail = await project.compose(html="a.html", inline={"logo": "logo.png"}, attachments=["a.pdf"])

    mixed = project.parsed(mail)
    related, attachment = mixed.iter_parts()
    assert mixed.get_content_type() == "multipart/mixed"
    assert [part.get_content_type() for part in related.iter_parts()] == [
        "multipart/alternative",
        "image/png",
        "image/png",
    ]
    assert attachment.get_content() == b"pdf"
