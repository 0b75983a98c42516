"""`dkim new-key`: a key that nobody has had before, in a file that only its owner can read."""

from __future__ import annotations

import os
from pathlib import Path

from bulkmail.campaign.models.dkim import dkim_domain, dkim_selector
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.message.dkim.key import DkimKey, KeyType
from bulkmail.value_class import value_class


@value_class(kw_only=True)
class NewKey:
    """What was made, and what is to be published."""

    path: Path
    domain: str
    selector: str
    record_name: str
    #: The text of the TXT record.
    record: str
    #: The same in the pieces that a zone file's strings may hold.
    record_strings: tuple[str, ...]


def new_key(domain: str, selector: str, kind: KeyType, path: Path | None = None) -> NewKey:
    """Make a key and write it, 0600, to `path` or to ``dkim-SELECTOR-DOMAIN.pem`` here.

    Raises `ConfigurationError` where the names are no names or the file is there already: a key
    that is in use must not be lost.
    """
    try:
        key = DkimKey.new(dkim_domain(domain), dkim_selector(selector), kind)
    except ValueError as error:
        raise ConfigurationError(Fault(message=str(error))) from error
    path = path or Path(f"dkim-{key.selector}-{key.domain}.pem")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key.pem().reveal())
    except FileExistsError as error:
        sentence = f"{path} is there already, and may be in use: choose another --selector or --out"
        raise ConfigurationError(Fault(message=sentence)) from error
    except OSError as error:
        sentence = f"{path} cannot be written: {error.strerror}"
        raise ConfigurationError(Fault(message=sentence)) from error
    return NewKey(
        path=path,
        domain=key.domain,
        selector=key.selector,
        record_name=key.record_name,
        record=key.record,
        record_strings=tuple(key.record_strings),
    )
