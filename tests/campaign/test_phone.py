"""Numbers as people write them, and what is none."""

from __future__ import annotations

import pytest

from bulkmail.campaign.phone import known_region, parse_number


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("13800138000", "CN", "+8613800138000"),
        (" 138 0013 8000 ", "CN", "+8613800138000"),
        ("138-0013-8000", "CN", "+8613800138000"),
        ("+86 138 0013 8000", "US", "+8613800138000"),
        ("+86(138)00138000", "CN", "+8613800138000"),
        ("008613800138000", "CN", "+8613800138000"),
        ("１３８００１３８０００", "CN", "+8613800138000"),
        ("+1 415-555-2671", "CN", "+14155552671"),
        ("(415) 555-2671", "US", "+14155552671"),
        ("0151 23456789", "DE", "+4915123456789"),
    ],
)
def test_a_number_becomes_e164(written: str, region: str, number: str) -> None:
    assert parse_number(written, region) == number


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "digits"),
        ("li.wei@example.com", "digits"),
        ("138001380OO", "digits"),
        ("1380013800", "no such number in CN"),
        ("138001380001", "no such number in CN"),
        ("+86138001380001380013800138000", "too long"),
        ("+999 123", "country code"),
        ("12", "too short"),
        ("1-800-FLOWERS", "digits"),
        ("13800138000 ext. 5", "digits"),
        ("13800138000\n13900139000", "digits"),
        ("13800138000 13900139000", "too long"),
        ("1" * 500, "digits"),
    ],
)
def test_what_is_no_number_is_told_why(written: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_number(written, "CN")


@pytest.mark.parametrize("region", ["cn", " US ", "DE"])
def test_a_region_is_two_letters_that_are_one(region: str) -> None:
    assert known_region(region) == region.strip().upper()


@pytest.mark.parametrize("region", ["XX", "China", ""])
def test_no_region_is_told(region: str) -> None:
    with pytest.raises(ValueError, match="is no region"):
        known_region(region)
