"""Telephone numbers as a campaign writes them, made E.164 (`+8613800138000`).

By the phonenumbers library, which is an extra: mail needs none of it.
"""

from __future__ import annotations

import functools
import re
from types import ModuleType

from bulkmail.address import printable
from bulkmail.errors import ConfigurationError, Fault

#: Where numbers without a country code are from, unless a campaign says otherwise.
DEFAULT_REGION = "CN"
#: Digits of any script, and what stands between them; a plus sign only in front.
_WRITTEN = re.compile(r"[+＋]?[\d \t().\-/·‐-―－\u2000-\u200a\u3000\xa0]+")
#: Longer than any number with all its marks.
_MAX_LENGTH = 40


def parse_number(text: str, region: str = DEFAULT_REGION) -> str:
    """The number in E.164.

    `region` (ISO 3166, two letters) is where a number without a country code is from. Raises
    `ValueError` with the reason, and `ConfigurationError` where phonenumbers is not installed.
    """
    text = text.strip()
    if len(text) > _MAX_LENGTH or not _WRITTEN.fullmatch(text):
        raise ValueError("a number is digits, with a + and the country code or without")
    phonenumbers = library()
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise ValueError(_unreadable(error, phonenumbers)) from error
    if not phonenumbers.is_valid_number(number):
        raise ValueError(_invalid(number, region, phonenumbers))
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def is_number(text: str) -> bool:
    """Whether `text` is written as a number is, valid or not: no address looks like one."""
    return bool(_WRITTEN.fullmatch(text.strip()))


def known_region(text: str) -> str:
    """The region in upper case. Raises `ValueError` where phonenumbers knows none of that name.

    Where phonenumbers is not installed any two letters pass: what needs it will say so.
    """
    region = text.strip().upper()
    try:
        known = library().SUPPORTED_REGIONS
    except ConfigurationError:
        known = {region} if re.fullmatch(r"[A-Z]{2}", region) else set()
    if region not in known:
        raise ValueError(f"`{printable(text)}` is no region: two letters such as CN, US or DE")
    return region


@functools.cache
def library() -> ModuleType:
    """The phonenumbers library. Raises `ConfigurationError` where it is not installed."""
    try:
        import phonenumbers  # noqa: PLC0415  # an extra, and 0.1 s
    except ImportError as error:
        message = "text messages need an extra: pip install 'bulkmail[sms]'"
        raise ConfigurationError(Fault(message=message)) from error
    module: ModuleType = phonenumbers
    return module


def _unreadable(error: Exception, phonenumbers: ModuleType) -> str:
    kinds = phonenumbers.NumberParseException
    match getattr(error, "error_type", None):
        case kinds.INVALID_COUNTRY_CODE:
            return "its country code is none"
        case kinds.TOO_LONG:
            return "it is too long"
        case kinds.TOO_SHORT_NSN | kinds.TOO_SHORT_AFTER_IDD:
            return "it is too short"
    return "it cannot be read as one"


def _invalid(number: object, region: str, phonenumbers: ModuleType) -> str:
    country = phonenumbers.region_code_for_country_code(number.country_code)  # type: ignore[attr-defined]  # a PhoneNumber
    where = country if country not in {"ZZ", "001"} else region
    match phonenumbers.is_possible_number_with_reason(number):
        case phonenumbers.ValidationResult.TOO_SHORT:
            return f"it is too short for a number of {where}"
        case phonenumbers.ValidationResult.TOO_LONG:
            return f"it is too long for a number of {where}"
    return f"there is no such number in {where}"
