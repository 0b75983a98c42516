from bulkmail.smtp.reply import Reply
from bulkmail.transport.mask import MASKED, Mask


def test_a_password_in_a_reply_is_hidden_also_in_base64() -> None:
    mask = Mask()
    mask.hide("hunter2")

    shown = mask.reply(Reply(535, ("no: hunter2", "aHVudGVyMg==")))

    assert shown.lines == (f"no: {MASKED}", MASKED)


def test_a_password_is_hidden_in_later_replies_where_it_is_no_common_word() -> None:
    mask = Mask()
    mask.hide("hunter2")
    mask.hide("ok")
    mask.hides_challenges = True

    shown = mask.later(Reply(250, ("ok hunter2", "aHVudGVyMg==")))

    assert shown.lines == (f"ok {MASKED}", MASKED)
    assert mask.later(Reply(354, ("ok, go on",))).lines == ("ok, go on",)


def test_challenges_are_shown_where_they_give_nothing_away() -> None:
    challenge = Reply(334, ("VXNlcm5hbWU6",))

    assert Mask().reply(challenge) == challenge


def test_what_a_scram_server_says_is_hidden_as_it_allows_guessing() -> None:
    mask = Mask()
    mask.hides_challenges = True

    first = mask.reply(Reply(334, ("cj1hYmMscz1zYWx0LGk9NDA5Ng==",)))
    last = mask.reply(Reply(235, ("2.7.0 dj1ybUY5cHFWOFM3c3VBb1pXamE0ZEpSa0ZzS1E9 welcome",)))

    assert first.lines == (MASKED,)
    assert last.lines == (f"2.7.0 {MASKED} welcome",)
