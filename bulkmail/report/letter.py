"""One message as its recipient sees it: headers, text, attachments."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage

from bulkmail.report.terminal import visible
from bulkmail.report.wording import size
from bulkmail.smtp.envelope import Envelope
from bulkmail.value_class import value_class

#: Headers that say how the message is put together, not what it says.
_PLUMBING = {"mime-version", "content-type", "content-transfer-encoding", "content-disposition"}


@value_class(kw_only=True)
class Attachment:
    """A file that comes with the message."""

    filename: str
    type: str
    content: bytes
    #: The Content-ID without angle brackets, where the HTML shows the file.
    content_id: str = ""

    @property
    def shown_name(self) -> str:
        """What tells it apart. An invitation for the mail program itself has no file's name."""
        unnamed = "(for the calendar)" if self.type == "text/calendar" else "(no name)"
        return self.filename or self.content_id or unnamed


@value_class(kw_only=True)
class Letter:
    """A message taken apart. Texts are decoded; headers are as a mail program shows them."""

    headers: tuple[tuple[str, str], ...]
    text: str | None
    html: str | None
    attachments: tuple[Attachment, ...]

    def header(self, name: str) -> str:
        """The first header of that name; "" for none."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    @classmethod
    def parse(cls, content: bytes) -> Letter:
        """Take the bytes of a message apart."""
        message = email.message_from_bytes(content, policy=email.policy.default)
        text, markup, attachments = None, None, []
        for part in _leaves(message):
            kind = part.get_content_type()
            is_body = part.get_content_disposition() != "attachment" and not part.get_filename()
            if is_body and kind == "text/plain" and text is None:
                text = str(part.get_content())
            elif is_body and kind == "text/html" and markup is None:
                markup = str(part.get_content())
            else:
                attachments.append(_attachment(part))
        headers = tuple((name, str(value)) for name, value in message.items())
        return cls(headers=headers, text=text, html=markup, attachments=tuple(attachments))


def _leaves(message: EmailMessage) -> Iterator[EmailMessage]:
    for part in message.walk():
        if not part.is_multipart():
            yield part


def _attachment(part: EmailMessage) -> Attachment:
    payload = part.get_payload(decode=True)
    return Attachment(
        filename=part.get_filename() or "",
        type=part.get_content_type(),
        content=payload if isinstance(payload, bytes) else b"",
        content_id=str(part.get("Content-ID", "")).strip().strip("<>"),
    )


def as_text(letter: Letter, envelope: Envelope) -> str:
    """The letter for a terminal: who the server is told, headers, text, what else is in it."""
    paths = ", ".join(f"<{path}>" for path in envelope.forward_paths)
    lines = [visible(f"MAIL FROM:<{envelope.reverse_path}>  RCPT TO:{paths}"), ""]
    lines += [
        visible(f"{name}: {value}")
        for name, value in letter.headers
        if name.lower() not in _PLUMBING
    ]
    body = letter.text if letter.text is not None else "(no text part)"
    body_lines = body.replace("\r\n", "\n").rstrip("\n").split("\n")
    lines += ["", *(visible(line.expandtabs()) for line in body_lines)]
    extras = list(_extras(letter))
    return "\n".join([*lines, *(["", *extras] if extras else [])])


def _extras(letter: Letter) -> Iterator[str]:
    if letter.html is not None:
        yield f"HTML  {size(len(letter.html.encode()))}  (--browser shows it)"
    for attachment in letter.attachments:
        place = "inline image" if attachment.content_id else "attachment"
        facts = f"{attachment.type}  {size(len(attachment.content))}"
        yield visible(f"{place}  {attachment.shown_name}  {facts}")
