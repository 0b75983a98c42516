"""What a command loads before it works: what it does not use, every cron job would pay for."""

from __future__ import annotations

import asyncio
import sys

import pytest
from support.mail_project import MailProject
from support.program import Ended, ended, environment
from support.scripted_server import scripted

#: Slow to import, and only for those whose campaign or command asks for them.
SLOW = frozenset(
    {
        *("cryptography", "rich", "aiosmtpd", "email_validator", "dns", "babel", "css_inline"),
        *("markdown_it", "typst", "segno", "python_calamine", "multiprocessing", "http"),
        *("bulkmail.sink", "bulkmail.app.demo", "bulkmail.transport.certificate"),
        *("bulkmail.app.check.checking", "bulkmail.report.bar", "bulkmail.cli.probe"),
        *("bulkmail.app.rehearsing", "bulkmail.app.processes.crew"),
        "bulkmail.app.processes.nursery",
        "bulkmail.app.scheduling.scheduler",
        *("bulkmail.gateway", "sqlalchemy", "httpx", "httpx2"),
        *("email", "bulkmail.message.lint", "importlib.metadata._meta", "importlib.resources"),
        *("cronsim", "logging.handlers"),
        *("bulkmail.app.check.crew", "bulkmail.app.notifying"),
        *("bulkmail.message.files.must_contain", "bulkmail.message.pdf.letter"),
        *("bulkmail.campaign.recipients.fetch", "bulkmail.message.invitation"),
        *("bulkmail.cli.report", "bulkmail.transport.probe", "bulkmail.transport.client"),
        *("aiofiles", "html", "bulkmail.message.plain_text", "bulkmail.smtp.scram"),
        *("xml", "zipfile", "gettext", "difflib", "bulkmail.campaign.recipients.workbook"),
    }
)
#: All that the version needs of ours.
VERSION = frozenset(
    {
        *("bulkmail", "bulkmail.__main__", "bulkmail.process_end", "bulkmail.cli"),
        "bulkmail.child_environment",
        *("bulkmail.cli.version", "bulkmail.version"),
    }
)
#: Of Python's own, what costs more than to print a version.
HEAVY = frozenset({"asyncio", "dataclasses", "email", "importlib.metadata", "inspect", "logging"})


async def loaded(project: MailProject, *arguments: str) -> tuple[set[str], Ended]:
    """The modules that a command imports, and how it ended."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "importtime", "-m", "bulkmail", *arguments),
        cwd=project.root,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    end = await ended(process)
    lines = [line for line in end.err.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}, end


def below(modules: set[str], roots: frozenset[str]) -> set[str]:
    """Those of `modules` that are one of `roots` or in one."""
    return {name for name in modules if any(f"{name}.".startswith(f"{root}.") for root in roots)}


async def test_the_version_loads_nothing_but_itself(project: MailProject) -> None:
    modules, end = await loaded(project, "--version")

    assert end.out.startswith("bulkmail ")
    assert {name for name in modules if name.startswith("bulkmail")} <= VERSION
    assert below(modules, HEAVY | {"typer", "pydantic", "jinja2", "yaml"}) == set()


@pytest.mark.parametrize("extra", [(), ("--json",), ("--quiet",)], ids=str)
async def test_a_letter_loads_nothing_it_does_not_use(
    project: MailProject, extra: tuple[str, ...]
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save()
        modules, end = await loaded(project, "send", "letter", *extra)

    assert end.code == 0, end.err
    assert "bulkmail.app.sending" in modules
    assert below(modules, SLOW) == set()
