"""What bad input gets: exit 2, nothing on the wire, every fault with its place, all in one go."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commandline import Cli
from support.mail_project import PEOPLE, MailProject

ADA, BOB, EVE = PEOPLE

CAMPAIGN = """\
from: People <people@example.com>
subject: For {{ name }}
text: letter.txt.j2
recipients: list.csv
servers: [{host: 127.0.0.1, port: PORT, security: none}]
"""

Change = Callable[[str], str]


def put(old: str, new: str) -> Change:
    """A change of the campaign's text."""

    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return change


def more(line: str) -> Change:
    """A line more."""
    return lambda text: text + line + "\n"


KEYS = [
    ("unknown key", more("subjet: x"), ["letter.yaml:6:1", "subjet", "`subject`"]),
    (
        "unknown server key",
        put("security: none", "securty: none"),
        ["letter.yaml:5:", "`security`"],
    ),
    ("wrong type", more("attachments: 7"), ["letter.yaml:6:", "attachments"]),
    ("wrong duration", more("retry: {backoff: soon}"), ["letter.yaml:6:", "retry.backoff"]),
    ("duplicate key", more("subject: again"), ["letter.yaml:6:1", "subject"]),
    (
        "object tag",
        more("headers: !!python/object/apply:os.system [id]"),
        ["letter.yaml:6:", "!!python"],
    ),
    ("no yaml", put("from:", "from: ["), ["letter.yaml:"]),
    ("missing key", put("subject: For {{ name }}\n", ""), ["letter.yaml", "subject"]),
    ("missing list", put("list.csv", "lost.csv"), ["letter.yaml:4:", "lost.csv"]),
    ("missing template", put("letter.txt.j2", "lost.txt.j2"), ["letter.yaml:3:", "lost.txt.j2"]),
    ("missing attachment", more("attachments: [lost.pdf]"), ["letter.yaml:6:", "lost.pdf"]),
    ("undefined variable", put("{{ name }}", "{{ nmae }}"), ["letter.yaml:2:", "nmae", "`name`"]),
    ("syntax in a key", put("{{ name }}", "{{ name"), ["letter.yaml:2:"]),
    (
        "malformed from",
        put("people@example.com", "people at example.com"),
        ["letter.yaml:1:", "from"],
    ),
    (
        "line break in a header",
        put("For {{ name }}", '"For\\r\\nBcc: x@example.com"'),
        ["letter.yaml:2:", "subject"],
    ),
    ("NUL in a header", put("For {{ name }}", '"For \\0 you"'), ["letter.yaml:2:"]),
    (
        "path out of the project",
        more("attachments: [../../../../etc/passwd]"),
        ["letter.yaml:6:", "allow_paths"],
    ),
    ("absolute path", more("attachments: [/etc/passwd]"), ["letter.yaml:6:", "allow_paths"]),
    (
        "unset variable",
        put("security: none", "security: none, username: me, password: '${UNSET_PASSWORD}'"),
        ["letter.yaml:5:", "UNSET_PASSWORD"],
    ),
    ("empty inline list", put("list.csv", "[]"), ["letter.yaml:4:", "recipients"]),
    ("other encoding", put("list.csv", "{path: list.csv, encoding: ascii}"), ["list.csv:2"]),
    (
        "unknown encoding",
        put("list.csv", "{path: list.csv, encoding: klingon}"),
        ["letter.yaml:4:", "klingon"],
    ),
    ("no such column", put("list.csv", "{path: list.csv, email: mobile}"), ["mobile"]),
    ("no such key column", put("list.csv", "{path: list.csv, key: id}"), ["id"]),
    (
        "unknown server name",
        put("[{host: 127.0.0.1, port: PORT, security: none}]", "[primary]"),
        ["letter.yaml:5:", "primary"],
    ),
    (
        "no server",
        put("servers: [{host: 127.0.0.1, port: PORT, security: none}]\n", ""),
        ["server"],
    ),
    (
        "bad rate",
        put("security: none", "security: none, rate: 5/fortnight"),
        ["letter.yaml:5:", "rate"],
    ),
    ("bad zone", more("schedule: {timezone: Moon/Base}"), ["letter.yaml:6:", "Moon/Base"]),
]


@pytest.mark.parametrize(("change", "told"), [case[1:] for case in KEYS], ids=[c[0] for c in KEYS])
def test_a_fault_in_the_campaign_is_named_with_its_place(
    project: MailProject, change: Change, told: list[str], cli: Cli, unasked: int
) -> None:
    project.write("campaigns/list.csv", f"email,name\n{ADA},Adé\n{BOB},Bob\n")
    text = change(CAMPAIGN).replace("PORT", str(unasked))
    project.write("campaigns/letter.yaml", text)
    result = cli("send", "letter")

    assert result.code == 2, result.both
    for words in told:
        assert words in result.err, result.err
    assert "Traceback" not in result.err
    assert not project.ledger.exists() or project.sql("SELECT count(*) FROM delivery") == [(0,)]


TRUST = [("gone.pem", "gone.pem does not exist"), ("letter.yaml", "no file of PEM certificates")]


@pytest.mark.parametrize(("ca_file", "told"), TRUST, ids=["missing", "no certificates"])
@pytest.mark.parametrize("has_another_fault", [False, True])
def test_check_and_send_tell_the_same_of_trust_anchors(
    project: MailProject, ca_file: str, told: str, cli: Cli, has_another_fault: bool
) -> None:
    project.people(PEOPLE)
    text = CAMPAIGN.replace("security: none", f"security: tls, ca_file: {ca_file}")
    text += "subjet: x\n" if has_another_fault else ""
    project.write("campaigns/letter.yaml", text.replace("PORT", "25"))

    checked, sent = cli("check", "letter"), cli("send", "letter")

    assert (checked.code, sent.code) == (2, 2), checked.both + sent.both
    for result in (checked, sent):
        assert re.search(rf"letter\.yaml:5:\d+ +servers\[0\]\.ca_file: .*{told}", result.err), (
            result.err
        )


ROWS = [
    ("no address", f"email,name\n{ADA},Ada\n,Nobody\n", ["list.csv:3", "row 2"]),
    (
        "malformed address",
        "email,name\nwang fang@example.com,W\n",
        ["list.csv:2", "row 1", "space"],
    ),
    ("no @", "email,name\nnobody,N\n", ["list.csv:2", "row 1"]),
    (
        "line break in a header",
        f'email,name\n{ADA},"A\nBcc: x@example.com"\n',
        ["row 1", "`name`", "U+000A"],
    ),
    ("NUL", f"email,name\n{ADA},A\0b\n", ["list.csv:2", "row 1"]),
    ("bidi in an address", "email,name\na\u202eb@example.com,A\n", ["list.csv:2"]),
    ("too many cells", f"email,name\n{ADA},Ada,more,and more\n", ["list.csv:2"]),
    ("not UTF-8", b"email,name\n" + ADA.encode() + b",Ad\xe9\n", ["list.csv:2", "utf-8"]),
    ("empty file", "", ["list.csv"]),
    ("header alone", "email,name\n", ["empty"]),
    ("no address column", "name,town\nAda,X\n", ["list.csv:1"]),
    ("the same column twice", f"email,name,name\n{ADA},A,B\n", ["list.csv:1", "name"]),
]


@pytest.mark.parametrize(("content", "told"), [case[1:] for case in ROWS], ids=[c[0] for c in ROWS])
def test_a_fault_in_the_list_is_named_with_file_line_and_row(
    project: MailProject, content: str | bytes, told: list[str], cli: Cli, unasked: int
) -> None:
    project.write("campaigns/list.csv", content)
    project.write("campaigns/letter.yaml", CAMPAIGN.replace("PORT", str(unasked)))
    result = cli("send", "letter")

    assert result.code == 2, result.both
    for words in told:
        assert words in result.err, result.err
    assert "Traceback" not in result.err


def test_a_symlink_out_of_the_project_is_refused(
    project: MailProject, tmp_path_factory: pytest.TempPathFactory, cli: Cli
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.txt"
    outside.write_text("secret")
    (project.root / "campaigns").mkdir(exist_ok=True)
    (project.root / "campaigns" / "link.txt").symlink_to(outside)
    text = CAMPAIGN.replace("PORT", "25") + "attachments: [link.txt]\n"
    project.write("campaigns/letter.yaml", text)

    refused = cli("check", "letter")
    project.write("campaigns/letter.yaml", text + f"allow_paths: [{outside.parent}]\n")
    allowed = cli("check", "letter")

    assert refused.code == 2
    assert "letter.yaml:6:" in refused.err
    assert allowed.code == 0, allowed.err


def test_an_undefined_variable_names_the_templates_line_and_the_row(
    project: MailProject, cli: Cli
) -> None:
    project.write("templates/letter.txt.j2", "Hello {{ name }},\n\nyou get {{ salery }}.\n")
    project.people(PEOPLE, salary="1")
    project.write("campaigns/letter.yaml", CAMPAIGN.replace("PORT", "25"))

    result = cli("check", "letter")

    assert result.code == 2
    assert "templates/letter.txt.j2:3" in result.err
    assert "salery" in result.err
    assert "`salary`" in result.err
    assert "row 1" in result.err


def test_a_syntax_error_names_the_templates_line(project: MailProject, cli: Cli) -> None:
    project.write("templates/letter.txt.j2", "Hello\n{% if name %}\n")
    project.write("campaigns/letter.yaml", CAMPAIGN.replace("PORT", "25"))

    result = cli("check", "letter")

    assert result.code == 2
    assert "templates/letter.txt.j2:" in result.err


@pytest.mark.parametrize("command", ["check", "send"])
def test_all_faults_of_all_files_are_told_in_one_go(
    project: MailProject, command: str, cli: Cli
) -> None:
    project.write("campaigns/list.csv", f"email,name\n{ADA},Ada\nnobody,N\n{EVE},Eve\n,X\n")
    project.write("templates/letter.txt.j2", "Hello\n{{ nmae }}\n")
    project.write("templates/letter.html.j2", "Hello {% if %}\n")
    project.write("bulkmail.yaml", "servers:\n  primary:\n    hots: x\n    port: 99999\n")
    project.write(
        "campaigns/letter.yaml",
        CAMPAIGN.replace("PORT", "25")
        + "html: letter.html.j2\nattachments: [lost.pdf]\nsubjet: x\nretry: {attempts: many}\n"
        "suppress: [lost.txt]\n",
    )

    result = cli(command, "letter")

    assert result.code == 2
    for told in (
        "bulkmail.yaml:3:5",
        "bulkmail.yaml:4:",
        "letter.yaml:8:1",
        "letter.yaml:9:",
        "lost.pdf",
        "letter.html.j2:1",
        "nmae",
        "list.csv:3",
        "list.csv:5",
        "lost.txt",
    ):
        assert told in result.err, f"{told} in {result.err}"
    assert "Traceback" not in result.err
    assert not (project.root / ".bulkmail").exists()


def test_files_of_rows_are_looked_for_beside_entries_at_fault(
    project: MailProject, cli: Cli
) -> None:
    project.write("campaigns/list.csv", f"email,name\n{ADA},Ada\n{EVE},Eve\n")
    project.write("campaigns/letters/Ada.pdf", "%PDF-1.4")
    project.write("bulkmail.yaml", "servers: {primary: {host: x}}\n")
    project.write(
        "campaigns/letter.yaml",
        CAMPAIGN.replace("PORT", "25")
        + "attachments:\n"
        + "  - lost.pdf\n"
        + "  - {path: guide.pdf, filname: x.pdf}\n"
        + '  - "letters/{{ name }}.pdf"\n'
        + "inline: {logo: lost.png}\n",
    )
    project.write("campaigns/guide.pdf", "%PDF-1.4")

    result = cli("check", "letter")

    assert result.code == 2
    for told in (
        "letter.yaml:7:5  attachments[0].path: lost.pdf",
        "letter.yaml:8:23  attachments[1].filname",
        "letter.yaml:9:5  attachments[2].path: letters/Eve.pdf does not exist (row 2",
        "letter.yaml:10:16  inline.logo: lost.png",
    ):
        assert told in result.err, f"{told} in {result.err}"
    assert "4 faults" in result.err


USAGE = [
    ("nothing", [], 2),
    ("unknown command", ["sned"], 2),
    ("no campaign", ["send"], 2),
    ("unknown campaign", ["send", "lettre"], 2),
    ("unknown option", ["send", "letter", "--dryrun"], 2),
    ("limit below", ["send", "letter", "--limit", "-1"], 2),
    ("limit of words", ["send", "letter", "--limit", "ten"], 2),
    ("a bad date", ["send", "letter", "--dry-run", "--date", "soon"], 2),
    ("a bad address", ["send", "letter", "--test-to", "me"], 2),
    ("no such row", ["preview", "letter", "--row", "9"], 2),
    ("no such person", ["preview", "letter", "--email", "x@example.com"], 2),
    ("no such state", ["report", "letter", "--state", "lost"], 2),
    ("no such format", ["report", "letter", "--format", "xml"], 2),
    ("nothing sent yet", ["report", "letter"], 2),
    ("no such schema", ["schema", "letter"], 2),
    ("a bad suppression", ["suppress", "add", "nobody"], 2),
    ("a lost file", ["suppress", "import", "lost.csv"], 2),
    ("a password as an argument", ["probe", "localhost", "--password", "secret"], 2),
]


@pytest.mark.parametrize(("arguments", "code"), [c[1:] for c in USAGE], ids=[c[0] for c in USAGE])
def test_a_wrong_command_line_is_exit_2_and_a_sentence(
    project: MailProject, arguments: list[str], code: int, cli: Cli
) -> None:
    project.servers({"host": "127.0.0.1", "port": 9, "security": "none"})
    project.save()

    result = cli(*arguments)

    assert result.code == code, result.both
    assert result.both.strip()
    assert "Traceback" not in result.both
    assert not (project.root / ".bulkmail").exists() or arguments[0] == "suppress"


def test_a_traceback_is_shown_when_it_is_asked_for(project: MailProject, cli: Cli) -> None:
    project.write("campaigns/letter.yaml", "from: 7\n")

    quiet = cli("send", "letter")
    loud = cli("send", "letter", "--debug")

    assert (quiet.code, loud.code) == (2, 2)
    assert "Traceback" not in quiet.err
    assert "Traceback" in loud.err


def test_a_file_that_cannot_be_a_campaign_is_told_so(project: MailProject, cli: Cli) -> None:
    for name, content in {
        "empty.yaml": b"",
        "list.yaml": b"- a\n- b\n",
        "binary.yaml": bytes(range(256)),
        "utf16.yaml": "from: a@example.com".encode("utf-16"),
        "bomb.yaml": b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n",
    }.items():
        path: Path = project.write(f"campaigns/{name}", content)
        result = cli("check", str(path))

        assert result.code == 2, name
        assert name in result.err
        assert "Traceback" not in result.err
