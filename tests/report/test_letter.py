from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP

from bulkmail.report.letter import Letter, as_text
from bulkmail.smtp.envelope import Envelope

ENVELOPE = Envelope("bounces@example.com", ("li@example.com", "cc@example.com"))
LOGO = b"\x89PNG logo"


def message(*, html: bool = True) -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "人事部 <people@example.com>"
    mail["To"] = "李伟 <li@example.com>"
    mail["Subject"] = "录用通知书"
    mail.set_content("你好\n\tsee \x1b[2J below\n")
    if html:
        mail.add_alternative(
            '<html><head><title>x</title></head><body><img src="cid:logo@x">'
            '<img src="cid:other"></body></html>',
            subtype="html",
        )
        alternatives = mail.get_payload()
        assert isinstance(alternatives, list)
        markup = alternatives[1]
        assert isinstance(markup, EmailMessage)
        markup.add_related(LOGO, "image", "png", cid="<logo@x>", filename="logo.png")
    mail.add_attachment(b"%PDF" * 1000, "application", "pdf", filename="录用通知书.pdf")
    return mail.as_bytes()


def test_a_letter_is_shown_as_its_reader_sees_it() -> None:
    text = as_text(Letter.parse(message()), ENVELOPE)

    assert text.startswith(
        "MAIL FROM:<bounces@example.com>  RCPT TO:<li@example.com>, <cc@example.com>\n"
    )
    assert "From: 人事部 <people@example.com>\n" in text
    assert "Subject: 录用通知书\n" in text
    assert "\n你好\n" in text
    assert "attachment  录用通知书.pdf  application/pdf  4.0 kB" in text
    assert "inline image  logo.png  image/png  9 bytes" in text
    assert "HTML  " in text
    assert "MIME-Version" not in text


def test_an_invitation_among_the_alternatives_is_told_to_be_one() -> None:
    mail = EmailMessage()
    mail.set_content("Come")
    mail.add_alternative("BEGIN:VCALENDAR", subtype="calendar")

    assert "attachment  (for the calendar)  text/calendar" in as_text(
        Letter.parse(mail.as_bytes()), ENVELOPE
    )


def test_a_letter_cannot_control_the_terminal() -> None:
    text = as_text(Letter.parse(message()), ENVELOPE)

    assert r"see \x1b[2J below" in text
    assert "\x1b" not in text
