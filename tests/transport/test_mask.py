from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st

from bulkmail.smtp.reply import Reply
from bulkmail.transport.mask import Mask


def test_a_secret_and_its_base64_are_hidden() -> None:
    mask = Mask()
    mask.hide("s3cret")

    masked = mask.reply(Reply(535, ("s3cret?", f"no {b64encode(b's3cret').decode()}")))

    assert masked == Reply(535, ("********?", "no ********"))


def test_a_reply_without_a_secret_is_the_same_object() -> None:
    mask = Mask()
    mask.hide("")
    reply = Reply(535, ("no",))

    assert mask.reply(reply) is reply


@given(st.text("ab=", min_size=1), st.text("ab=", min_size=1), st.text("abc=* "))
def test_no_hidden_text_is_left(one: str, two: str, around: str) -> None:
    mask = Mask()
    mask.hide(one)
    mask.hide(two)

    masked = mask.reply(Reply(535, (f"{around}{one}{two}{around}",)))

    assert one not in masked.text
    assert two not in masked.text
