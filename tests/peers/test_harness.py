"""The servers themselves, by the standard library's clients: the other tests here lean on them."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage

import pytest
from peers.dovecot import PASSWORD, Dovecot
from peers.mailbox import fetch_all
from peers.postfix import Postfix
from peers.waiting import until

pytestmark = pytest.mark.peers


def letter(recipient: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "people@example.com"
    message["To"] = recipient
    message["Subject"] = "Hello"
    message.set_content("Hello.\n")
    return message


def test_what_is_submitted_can_be_fetched_again(postfix: Postfix, dovecot: Dovecot) -> None:
    context = ssl.create_default_context(cafile=str(postfix.ca_file))

    with smtplib.SMTP("127.0.0.1", postfix.starttls_port, timeout=30) as client:
        client.starttls(context=context)
        client.login("people@example.com", PASSWORD)
        client.send_message(letter("harness@example.org"))

    until(lambda: bool(fetch_all(dovecot, "harness@example.org")), what="delivery")
    assert fetch_all(dovecot, "harness@example.org")[0].endswith(b"\r\n\r\nHello.\r\n")


def test_implicit_tls_offers_every_mechanism(postfix: Postfix) -> None:
    context = ssl.create_default_context(cafile=str(postfix.ca_file))

    with smtplib.SMTP_SSL("127.0.0.1", postfix.tls_port, context=context, timeout=30) as client:
        client.ehlo()

        offered = set(client.esmtp_features["auth"].split())

    assert offered == {"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"}


def test_nothing_is_taken_without_a_login(postfix: Postfix) -> None:
    context = ssl.create_default_context(cafile=str(postfix.ca_file))

    with (
        smtplib.SMTP_SSL("127.0.0.1", postfix.tls_port, context=context, timeout=30) as client,
        pytest.raises(smtplib.SMTPRecipientsRefused),
    ):
        client.send_message(letter("nobody@example.org"))
