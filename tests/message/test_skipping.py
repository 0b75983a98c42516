"""`skip_if:` says who gets nothing."""

import pytest
from message.sample_project import INSTANT, Project, delivery

from bulkmail.message.faults import RowSkipped


@pytest.mark.parametrize(
    ("expression", "is_skipped"),
    [
        ("status == 'left'", True),
        ("{{ status == 'left' }}", True),
        ("status == 'here'", False),
        ("salary | int > 100", True),
        ("nickname is not defined", True),
        ("now.year < 2026", False),
    ],
)
async def test_a_row_for_which_the_condition_holds_gets_nothing(
    project: Project, expression: str, is_skipped: bool
) -> None:
    composer = project.composer(skip_if=expression)
    row = delivery(status="left", salary="200")

    reason = composer.skips(row, INSTANT)

    assert bool(reason) == is_skipped
    if is_skipped:
        with pytest.raises(RowSkipped, match="skip_if") as caught:
            await composer.compose(row, INSTANT)
        assert caught.value.reason == reason


async def test_a_condition_that_fails_is_the_rows_fault(project: Project) -> None:
    (fault,) = await project.faults({"status": "here"}, skip_if="statu == 'left'")

    assert fault.message == "`{{ statu }}` is not a column of offer.csv. Did you mean `status`?"
    assert (fault.key, fault.row) == ("skip_if", 1)


async def test_a_condition_that_is_none_is_told_before_any_row(project: Project) -> None:
    (fault,) = await project.faults(skip_if="status ==")

    assert (fault.key, fault.row) == ("skip_if", None)
    assert fault.message == "the expression's end stands where a value belongs"


async def test_one_equals_sign_is_told_to_be_two(project: Project) -> None:
    (fault,) = await project.faults(skip_if="status = 'left'")

    assert fault.message == (
        "`=` stands where the expression's end belongs: two values are compared by `==`"
    )


def test_another_condition_is_another_campaign_to_check(project: Project) -> None:
    one, other = (project.composer(skip_if=text).fingerprint() for text in ("a == 'b'", "a == 'c'"))

    assert one != other
