"""`suppress token`: readers who left by their link, found again and put on the list.

A token holds no address. It is verified with the secret it was made with, and led back to its
recipient over the Message-IDs in the ledger: one pass over its rows, however many tokens there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bulkmail.app.opening import writable
from bulkmail.campaign.composer import read_document
from bulkmail.campaign.project import PROJECT_FILE, nearest_project
from bulkmail.campaign.secret_reference import secret_reference
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.ledger import Ledger
from bulkmail.message.unsubscribe_token import TokenRefused, message_identity, token_identity
from bulkmail.secret import Secret

_SUFFIXES = {".yaml", ".yml"}


@dataclass(slots=True)
class Unsubscribed:
    """What tokens came to."""

    #: How many addresses are new on the list.
    added: int = 0
    #: Tokens that led to a recipient, on the list before or not.
    recognised: int = 0
    #: Tokens that did not, each with the reason.
    refused: list[tuple[str, str]] = field(default_factory=list)


async def suppress_tokens(
    where: Path, tokens: Iterable[str], environ: Mapping[str, str], ledger: Path | None = None
) -> Unsubscribed:
    """Put the recipients of these tokens on the list, each once.

    The secrets are those of the project around `where`: bulkmail.yaml's and its campaigns'. Raises
    `ConfigurationError` where there is none; nothing was added then.
    """
    secrets = _secrets(nearest_project(where) or where, environ)
    result = Unsubscribed()
    wanted: dict[bytes, str] = {}
    for token in dict.fromkeys(tokens):
        try:
            wanted[_proven(token, secrets)] = token
        except TokenRefused as refusal:
            result.refused.append((token, str(refusal)))
    if wanted:
        async with writable(where, ledger) as opened:
            found = await _recipients(opened, wanted.keys(), secrets)
            leaving: defaultdict[str, list[str]] = defaultdict(list)
            for campaign, address in found.values():
                leaving[campaign].append(address)
            for campaign, addresses in leaving.items():
                result.added += await opened.suppression().add(
                    addresses, f"unsubscribed from {campaign}"
                )
        result.recognised = len(found)
        lost = "is of no recipient in this ledger: a test message's, or another ledger's"
        result.refused += [(wanted[one], lost) for one in wanted if one not in found]
    return result


def _proven(token: str, secrets: Iterable[Secret]) -> bytes:
    """The token's identity, under whichever secret it was made with. Raises `TokenRefused`."""
    refusal = TokenRefused("is no token")
    for secret in secrets:
        try:
            return token_identity(token, secret)
        except TokenRefused as error:
            refusal = error
    raise refusal


async def _recipients(
    ledger: Ledger, wanted: Iterable[bytes], secrets: list[Secret]
) -> dict[bytes, tuple[str, str]]:
    """Campaign and address for each identity that is in the ledger."""
    left = set(wanted)
    found: dict[bytes, tuple[str, str]] = {}
    for record in await ledger.campaigns():
        async for row in ledger.report(record.id, None):
            for secret in secrets:
                identity = message_identity(row.message_id, secret)
                if identity in left:
                    left.remove(identity)
                    found[identity] = record.name, row.email
            if not left:
                return found
    return found


def _secrets(root: Path, environ: Mapping[str, str]) -> list[Secret]:
    """Every `unsubscribe.secret` of the project that is at hand, each once."""
    secrets: dict[str, Secret] = {}
    faults: list[Fault] = []
    for path in _files(root):
        try:
            document = read_document(path)
            written = document.value["unsubscribe"]["secret"]
        except (ConfigurationError, KeyError, TypeError):
            # What is wrong with a campaign is told when that campaign is used.
            continue
        try:
            secret = secret_reference(written).look_up((path.parent, root), environ)
            secrets[secret.reveal()] = secret
        except ValueError as error:
            faults.append(document.fault(("unsubscribe", "secret"), str(error)))
    if secrets:
        return list(secrets.values())
    sentence = (
        f"no `unsubscribe.secret` in {PROJECT_FILE} or a campaign of this project: tokens are "
        "verified with the secret they were made with"
    )
    raise ConfigurationError(*(faults or [Fault(message=sentence)]))


def _files(root: Path) -> list[Path]:
    """bulkmail.yaml first; then what may be a campaign."""
    found = [*root.glob("*"), *(root / "campaigns").glob("*")]
    return sorted(
        (path for path in found if path.suffix in _SUFFIXES and path.is_file()),
        key=lambda path: (path.name != PROJECT_FILE, path),
    )
