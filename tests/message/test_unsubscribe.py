"""The way out of a list: what stands in the message, and tokens that hold nothing of the reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from message.sample_project import INSTANT, Project, delivery

from bulkmail.errors import ConfigurationError
from bulkmail.message.composer import Composer
from bulkmail.message.keyring import Keyring
from bulkmail.message.unsubscribe_token import (
    TokenRefused,
    message_identity,
    token_identity,
    unsubscribe_token,
)
from bulkmail.secret import Secret

SECRET = Secret("0123456789abcdef")
URL = "https://example.com/u?t={token}"
BOTH = {"url": URL, "mailto": "leave@example.com?subject={token}", "secret": "${S}"}
MESSAGE_ID = "<1.abc@example.com>"


@given(st.text(), st.text(min_size=1))
def test_a_token_leads_back_to_its_message(message_id: str, secret: str) -> None:
    try:
        key = Secret(secret)
        token = unsubscribe_token(message_id, key)
    except UnicodeEncodeError:
        return

    assert token_identity(token, key) == message_identity(message_id, key)
    assert token_identity(token.upper(), key) == message_identity(message_id, key)
    assert (len(token), token.isalnum(), token.islower()) == (49, True, True)


def test_a_token_is_what_the_page_says() -> None:
    # Worked out by hand from docs/unsubscribe.md, with openssl dgst -sha256 -hmac.
    assert unsubscribe_token(MESSAGE_ID, SECRET) == (
        "1sn4tr5sch6pvnr264gu5v3smhe5rhcb4uh5tlkxtrhrr6nfz"
    )


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        ("", "is no token of a version known here"),
        ("2" + "a" * 48, "is no token of a version known here"),
        ("1" + "a" * 47, "it was cut or changed"),
        ("1" + "1" * 48, "it was cut or changed"),
        ("1" + "ä" * 48, "it was cut or changed"),
        ("1", "was not made with this secret"),
        ("1" + "a" * 48, "was not made with this secret"),
        (unsubscribe_token(MESSAGE_ID, Secret("another")), "was not made with this secret"),
        (unsubscribe_token(MESSAGE_ID, None), "comes from a dry run or preview"),
    ],
)
def test_what_is_no_token_of_ours_is_refused(token: str, sentence: str) -> None:
    with pytest.raises(TokenRefused, match=sentence):
        token_identity(token, SECRET)


@given(st.integers(1, 48), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_token_with_one_letter_changed_is_refused(place: int, letter: str) -> None:
    token = unsubscribe_token(MESSAGE_ID, SECRET)
    changed = token[:place] + letter + token[place + 1 :]
    if changed != token:
        with pytest.raises(TokenRefused):
            token_identity(changed, SECRET)


async def test_both_ways_out_stand_in_the_message_and_in_its_text(project: Project) -> None:
    project.template("a.txt", "Leave: {{ unsubscribe_url }}\n")
    campaign = project.campaign(text="a.txt", unsubscribe=BOTH)
    composer = Composer(campaign, keyring=Keyring.whole(campaign, {"S": SECRET.reveal()}))

    mail = await composer.compose(delivery(), INSTANT)

    token = unsubscribe_token(MESSAGE_ID, SECRET)
    message = project.parsed(mail)
    link = f"https://example.com/u?t={token}"
    assert message["list-unsubscribe"] == f"<{link}>, <mailto:leave@example.com?subject={token}>"
    assert message["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert project.text(mail) == f"Leave: {link}\n"
    assert b"li.wei" not in token.encode()


async def test_a_mail_alone_is_no_one_click(project: Project) -> None:
    project.template("a.txt", "{{ unsubscribe_url }}")
    way_out = {"mailto": "mailto:leave@example.com?subject=leave%20us"}

    mail = await project.compose(text="a.txt", unsubscribe=way_out)

    message = project.parsed(mail)
    assert message["list-unsubscribe"] == "<mailto:leave@example.com?subject=leave%20us>"
    assert "list-unsubscribe-post" not in message
    assert project.text(mail) == "mailto:leave@example.com?subject=leave%20us\n"


async def test_without_unsubscribe_the_name_is_a_columns(project: Project) -> None:
    project.template("a.txt", "{{ unsubscribe_url }}")

    mail = await project.compose({"unsubscribe_url": "https://x.example"}, text="a.txt")

    assert project.text(mail) == "https://x.example\n"
    assert "list-unsubscribe" not in project.parsed(mail)
    (fault,) = await project.faults(text="a.txt")
    assert "`{{ unsubscribe_url }}` is not a column" in fault.message


def test_without_the_secret_a_send_is_refused_and_a_check_told(project: Project) -> None:
    campaign = project.campaign(unsubscribe=BOTH)

    with pytest.raises(ConfigurationError, match=r"unsubscribe\.secret.* S is not set"):
        Keyring.whole(campaign, {})

    (notice,) = Keyring.at_hand(campaign, {}).notices()
    assert notice.startswith("The unsubscribe links shown lead nowhere")


@pytest.mark.parametrize(
    ("keys", "where", "sentence"),
    [
        ({"kind": "marketing"}, "kind", "`marketing` needs `unsubscribe`"),
        ({"kind": "spam"}, "kind", "must be one of"),
        ({"unsubscribe": {"url": URL}}, "unsubscribe.url", "needs a `secret` beside it"),
        (
            {"unsubscribe": {"mailto": "a@b.example?subject={token}"}},
            "unsubscribe.mailto",
            "secret",
        ),
        ({"unsubscribe": {"secret": "x"}}, "unsubscribe", "needs a `url`, or a `mailto`"),
        ({"unsubscribe": {**BOTH, "url": "http://x.example/{token}"}}, "unsubscribe.url", "https"),
        ({"unsubscribe": {**BOTH, "url": "https://x.example/u"}}, "unsubscribe.url", "{token}"),
        ({"unsubscribe": {**BOTH, "url": URL + "&n=a b"}}, "unsubscribe.url", "is no URL"),
        ({"unsubscribe": {**BOTH, "url": URL + ">,<x"}}, "unsubscribe.url", "is no URL"),
        ({"unsubscribe": {**BOTH, "url": URL + "x" * 500}}, "unsubscribe.url", "longer than 500"),
        ({"unsubscribe": {**BOTH, "mailto": "leave"}}, "unsubscribe.mailto", "no @"),
        ({"unsubscribe": {**BOTH, "mailto": "a@b.example?x=>"}}, "unsubscribe.mailto", "%20"),
        ({"unsubscribe": {**BOTH, "link": "x"}}, "unsubscribe.link", "unknown key"),
        ({"unsubscribe": {**BOTH, "secret": 7}}, "unsubscribe.secret", "must be text"),
        (
            {"unsubscribe": BOTH, "headers": {"List-unsubscribe": "<https://x.example>"}},
            "headers.List-unsubscribe",
            "is written by `unsubscribe`",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_with_it_is_told_at_its_line(
    project: Project, keys: dict[str, object], where: str, sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        project.campaign(**keys)

    (fault,) = caught.value.faults
    assert fault.key == where
    assert sentence in fault.message
    assert fault.line


class TestInherited:
    """What stands in bulkmail.yaml."""

    @pytest.fixture
    def shared(self, project: Project) -> Project:
        project.file("bulkmail.yaml", f"unsubscribe: {{url: '{URL}', secret: '${{S}}'}}\n")
        return project

    def test_it_is_every_campaigns_but_the_transactional_ones(self, shared: Project) -> None:
        assert shared.campaign().model.unsubscribe is not None
        assert shared.campaign(kind="marketing").model.unsubscribe is not None
        assert shared.campaign(kind="transactional").model.unsubscribe is None

    def test_a_campaigns_own_is_put_together_with_it(self, shared: Project) -> None:
        own = shared.campaign(unsubscribe={"mailto": "x@y.example"}).model.unsubscribe

        assert own is not None
        assert (own.url, own.mailto) == (URL, "x@y.example")
        assert own.secret is not None

    def test_a_secret_alone_is_no_way_out(self, project: Project) -> None:
        project.file("bulkmail.yaml", "unsubscribe: {secret: '${S}'}\n")

        assert project.campaign().model.unsubscribe is None
        own = project.campaign(unsubscribe={"url": URL}).model.unsubscribe
        assert own is not None
        assert own.secret is not None
        with pytest.raises(ConfigurationError, match="needs `unsubscribe`"):
            project.campaign(kind="marketing")
