"""The documentation is true: its commands run, its files are there, its two languages agree."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import typer
from support.pages import Block, Page
from support.walkthrough import Walk, compare

from bulkmail.campaign.providers import PROVIDERS, Provider
from bulkmail.cli.program import program
from bulkmail.delivery.blame import judge
from bulkmail.outcome import Blame
from bulkmail.settings import project_server
from bulkmail.smtp.reply import ReplyParser
from bulkmail.smtp.stage import Stage

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PROVIDER_PAGES = sorted(
    path for path in (DOCS / "providers").glob("*.md") if path.name != "index.md"
)
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
#: Followed from the first block to the last.
WALKS = [
    ROOT / "README.md",
    *(
        DOCS / f"{name}.md"
        for name in (
            "tutorial",
            "recipients",
            "templates",
            "cookbook",
            "library",
            "reliability",
            "dkim",
            "unsubscribe",
            "sms",
        )
    ),
]
#: Pages that stand beside one another in two languages.
PAIRS = [
    (path.with_name(path.name.replace(".zh-CN", "")), path)
    for path in PAGES
    if ".zh-CN" in path.name
]

_MACHINE = re.compile(r"(?<![\w.~])/(root|home|Users|tmp|work|mnt|opt|var)/")
#: Of the contract, and not built yet: pages that are made from the models may speak of them.
_LATER: dict[Path, set[str]] = {}
_OUR_PATH = re.compile(r"`((?:docs|tests|bulkmail|benchmarks|\.ci)/[\w./-]*)`")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", WALKS, ids=name)
def test_every_command_of_the_page_works_as_printed(path: Path, tmp_path: Path) -> None:
    with Walk(Page(path), tmp_path) as walk:
        walk.follow()


def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    shown = Page(ROOT / "README.md").blocks[1]
    assert "Local server" in shown.text
    with Walk(Page(ROOT / "README.md"), tmp_path) as walk:
        for folder in ("campaigns", "templates"):
            shutil.copytree(ROOT / folder, walk.here / folder)
        shutil.copy(ROOT / "bulkmail.yaml", walk.here)

        output = walk.run("bulkmail demo")

    assert output.endswith("[exit code 0]"), output
    compare(shown, output, ROOT / "README.md")


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_link_and_every_path_of_ours_leads_somewhere(path: Path) -> None:
    page = Page(path)
    for link in page.links:
        if re.match(r"https?:|mailto:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in Page(target).anchors, f"{link}: there is no such heading"
    for ours in _OUR_PATH.findall(page.prose):
        assert (ROOT / ours).exists(), f"`{ours}` is not there"


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_no_page_holds_a_path_of_a_machine(path: Path) -> None:
    assert not _MACHINE.search(path.read_text("utf-8"))


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_command_and_option_that_is_shown_is_there(path: Path) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    page = Page(path)
    texts = [command.text for command in page.commands]
    texts += re.findall(r"`((?:bulkmail|make) [^`]+)`", page.prose)
    for text in set(texts) - _LATER.get(path, set()):
        words = text.split()
        if words[0] == "make":
            assert words[1] in targets, text
        elif words[0] == "bulkmail":
            assert unknown_words(words[1:]) == [], text


def unknown_words(words: list[str]) -> list[str]:
    """The first command, or the options, that the program does not have."""
    command = typer.main.get_command(program)
    known = {"--debug", "--help"}
    while words:
        known |= {option for parameter in command.params for option in parameter.opts}
        commands = getattr(command, "commands", None)
        if commands is None or words[0].startswith("-"):
            break
        if words[0] not in commands:
            return words[:1]
        command = commands[words[0]]
        words = words[1:]
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    known |= {option for parameter in command.params for option in parameter.opts}
    return [option for option in options if option not in known]


def test_an_option_that_is_not_there_is_found() -> None:
    assert unknown_words(["send", "hello", "--dry-run"]) == []
    assert unknown_words(["send", "hello", "--dryrun"]) == ["--dryrun"]
    assert unknown_words(["suppress", "add", "a@example.com", "--ledger", "x"]) == []
    assert unknown_words(["walk", "--once"]) == ["walk"]


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_piece_of_python_is_python(path: Path) -> None:
    for block in Page(path).blocks:
        if block.language == "python":
            compile(block.text, f"{path.name}:{block.line}", "exec")


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=[name(path) for _, path in PAIRS])
def test_both_languages_say_the_same(english: Path, chinese: Path) -> None:
    ours, theirs = Page(english), Page(chinese)

    assert [level for level, _ in theirs.headings] == [level for level, _ in ours.headings]
    assert list(map(essence, theirs.blocks)) == list(map(essence, ours.blocks))
    assert table_shapes(theirs) == table_shapes(ours)
    assert same_in_both(theirs.links) == same_in_both(ours.links)


def essence(block: Block) -> tuple[str, str, str]:
    """What of a block is the same in every language: all but comments."""
    return block.language, block.file, block.without_comments()


def table_shapes(page: Page) -> list[int]:
    return [row.count("|") for row in re.findall(r"^\|.*\|$", page.prose, re.MULTILINE)]


def same_in_both(links: list[str]) -> list[str]:
    """Without the links from one language to the other."""
    plain = (link.partition("#")[0].replace(".zh-CN", "") for link in links)
    return sorted(set(plain))


def test_the_first_screen_of_the_readme_holds_demo_and_test() -> None:
    for path in (ROOT / "README.md", ROOT / "README.zh-CN.md"):
        first = Page(path).blocks[0]
        assert first.text == "make demo\nmake test\n"
        assert first.line < 25


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_has_its_page(provider: str) -> None:
    assert (ROOT / PROVIDERS[provider].page).is_file()
    assert f"({provider}.md)" in (DOCS / "providers" / "index.md").read_text("utf-8")


@pytest.mark.parametrize("path", PROVIDER_PAGES, ids=name)
def test_a_provider_page_says_what_the_preset_does(path: Path) -> None:
    provider = PROVIDERS[path.name.partition(".")[0]]
    rows = dict(
        re.findall(r"^\| `(host|port|security|rate)` \| (.*) \|$", Page(path).prose, re.MULTILINE)
    )

    assert rows == {
        "host": f"`{provider.host.format(region=example_region(provider))}`",
        "port": f"`{provider.port}`",
        "security": f"`{provider.security}`",
        "rate": ", ".join(f"`{rate}`" for rate in provider.rates) or rows["rate"],
    }
    assert bool(provider.rates) == ("`" in rows["rate"])


def example_region(provider: Provider) -> str:
    region = provider.default_region or ("us-east-1" if "{region}" in provider.host else "")
    return provider.regions.get(region, region)


@pytest.mark.parametrize("path", PROVIDER_PAGES, ids=name)
def test_a_provider_page_has_settings_that_work(path: Path, tmp_path: Path) -> None:
    provider = PROVIDERS[path.name.partition(".")[0]]
    written = [block for block in Page(path).blocks if block.file == "bulkmail.yaml"]
    assert written

    for block in written:
        (tmp_path / "bulkmail.yaml").write_text(block.text, "utf-8")
        (tmp_path / "password.txt").write_text("secret\n", "utf-8")
        settings = project_server(tmp_path, "mine", {"SMTP_PASSWORD": "secret"})
        assert settings.port == provider.port
        assert settings.security == provider.security
        assert settings.username
        assert settings.password


REFUSALS = [
    pytest.param(path, reply, fate, id=f"{path.stem}: {reply[:24]}")
    for path in PROVIDER_PAGES
    for cell, fate in re.findall(
        r"^\| (`\d\d\d .*?) \| .*? \| (.*) \|$", Page(path).prose, re.MULTILINE
    )
    for reply in re.findall(r"`(\d\d\d [^`]+)`", cell)
]


@pytest.mark.parametrize(("path", "text", "told"), REFUSALS)
def test_a_refusal_has_the_consequence_that_the_page_tells(
    path: Path, text: str, told: str
) -> None:
    stage = stage_of(text)
    if stage is Stage.AUTH:
        assert re.search("[Ss]tops|停止|command once more|Waits", told)
        return
    (reply,) = ReplyParser().feed(f"{text}\r\n".encode())

    judgement = judge(stage, reply)

    match judgement.blame, judgement.is_transient:
        case (Blame.SERVER, False):
            assert re.search("Stops after a few tries|试几次后停止", told)
        case (Blame.SERVER | Blame.SESSION, True):
            assert re.search("Waits and tries again|等待后重试", told)
        case (_, True):
            assert "`deferred`" in told
        case _:
            assert "`failed`" in told


def stage_of(text: str) -> Stage:
    """Where servers give the replies that the pages tell of."""
    if re.match(r"53[0-9]|454|550 User has no", text):
        return Stage.AUTH
    if re.match(r"501|553|43\d|45\d MI", text):
        return Stage.MAIL
    if re.search(r"not found|does not exist", text):
        return Stage.RCPT
    return Stage.END_OF_DATA


def test_the_tests_that_reliability_names_are_there() -> None:
    page = (DOCS / "reliability.md").read_text("utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)`", page)
    assert named
    for test in named:
        assert (ROOT / test).is_file(), test
