"""Dates and money as the recipient's language writes them, by Babel (extra `locale`).

The language is that of the row (language.py), English where it has none; `locale=` says another.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from jinja2 import pass_context
from jinja2.exceptions import FilterArgumentError
from jinja2.runtime import Context

from bulkmail.address import excerpt
from bulkmail.message.extra import extra
from bulkmail.message.templates.language import tags

_DEFAULT = "en"
#: A comma groups thousands, and nothing else: what `42,5` means depends on who wrote it.
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")


class LocalFormat:
    """The filters `date`, `time`, `money` and `number` of one campaign."""

    def __init__(self, column: str) -> None:
        """`column` holds the recipient's language."""
        self._column = column

    def filters(self) -> dict[str, Any]:
        """By name, as jinja2 takes them."""

        @pass_context
        def of_date(
            context: Context,
            value: Any,
            format: str = "long",  # noqa: A002  # as Babel calls it
            locale: str | None = None,
        ) -> str:
            dates = _babel("dates")
            return str(dates.format_date(_date(value), format, self._locale(context, locale)))

        @pass_context
        def of_time(
            context: Context,
            value: Any,
            format: str = "short",  # noqa: A002  # as Babel calls it
            locale: str | None = None,
        ) -> str:
            dates = _babel("dates")
            return str(
                dates.format_time(_time(value), format, locale=self._locale(context, locale))
            )

        @pass_context
        def of_money(context: Context, value: Any, currency: str, locale: str | None = None) -> str:
            numbers = _babel("numbers")
            if not numbers.is_currency(currency):
                raise FilterArgumentError(f"money: `{currency}` is no currency such as CNY or EUR")
            chosen = self._locale(context, locale)
            return str(numbers.format_currency(_decimal(value), currency, locale=chosen))

        @pass_context
        def of_number(context: Context, value: Any, locale: str | None = None) -> str:
            numbers = _babel("numbers")
            return str(
                numbers.format_decimal(_decimal(value), locale=self._locale(context, locale))
            )

        return {"date": of_date, "time": of_time, "money": of_money, "number": of_number}

    def _locale(self, context: Context, given: str | None) -> Any:
        core = _babel("core")
        language = given or context.get("recipient", {}).get(self._column)
        for tag in (*tags(language), _DEFAULT):
            try:
                return core.Locale.parse(tag, sep="-")
            except (core.UnknownLocaleError, ValueError):
                if given:
                    raise FilterArgumentError(
                        f"`{given}` is no locale such as zh-CN or de"
                    ) from None
        raise AssertionError("Babel knows English")


def _babel(module: str) -> Any:
    return extra(f"babel.{module}", "writing dates and money by locale", "locale")


def _date(value: Any) -> date:
    if isinstance(value, date):
        return value
    try:
        return datetime.fromisoformat(str(value).strip())
    except ValueError as error:
        raise FilterArgumentError(
            f"date: `{_shown(value)}` is no date such as 2026-12-01"
        ) from error


def _time(value: Any) -> datetime | time:
    if isinstance(value, datetime | time):
        return value
    for parse in (time.fromisoformat, datetime.fromisoformat):
        try:
            return parse(str(value).strip())
        except ValueError:
            continue
    raise FilterArgumentError(f"time: `{_shown(value)}` is no time such as 09:30")


def _decimal(value: Any) -> Decimal:
    text = str(value).strip()
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise FilterArgumentError(
            f"`{_shown(value)}` is no number such as 42000 or 12.50"
        ) from error
    if not number.is_finite():
        raise FilterArgumentError(f"`{_shown(value)}` is no number such as 42000 or 12.50")
    return number


def _shown(value: Any) -> str:
    """A cell as a fault names it: it may be long."""
    return excerpt(str(value))
