"""What can be a server's name, and what a client can call itself.

Only the shape is looked at: whether the name exists, the DNS knows.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator

from bulkmail.campaign.values import EnvironmentText

#: Letters of any script: a name in its own script is written to the DNS as A-labels.
_HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.?")
_HELLO_NAME = re.compile(r"[A-Za-z0-9._-]+|\[[A-Za-z0-9.:-]+\]")


def insist_on_host(text: str) -> str:
    """A name or an address, without the brackets of IPv6. Raises `ValueError` with a sentence."""
    if _HOST.fullmatch(text) or _is_address(text):
        return text
    if text.startswith("[") and text.endswith("]") and ":" in text and _is_address(text[1:-1]):
        return text[1:-1]
    raise ValueError(
        f"`{text}` is no host: a name such as smtp.example.com, or an address, and nothing else"
        + (" (the port goes under `port`)" if ":" in text else "")
    )


def insist_on_hello_name(text: str) -> str:
    """One word of ASCII (RFC 5321, 4.1.1.1). Raises `ValueError` with a sentence."""
    if _HELLO_NAME.fullmatch(text) is None:
        raise ValueError(f"`{text}` is no host name, nor an address in brackets")
    return text


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _host(text: str) -> str:
    return text if "${" in text else insist_on_host(text)


def _hello_name(text: str) -> str:
    return text if "${" in text else insist_on_hello_name(text)


#: The same as they are written; with ``${NAME}`` in them they are judged when it is looked up.
HostText = Annotated[EnvironmentText, AfterValidator(_host)]
HelloNameText = Annotated[EnvironmentText, AfterValidator(_hello_name)]
