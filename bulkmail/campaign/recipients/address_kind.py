"""What a list's rows are addressed by: mail addresses, or the numbers of text messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from bulkmail.address import excerpt, parse_address, printable
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.phone import parse_number
from bulkmail.campaign.recipients.columns import (
    EMAIL_ALIASES,
    MOBILE_ALIASES,
    find_column,
    no_email_column,
    no_mobile_column,
)
from bulkmail.value_class import value_class


class AddressKind(Protocol):
    """One kind of address, and how a list holds it."""

    @property
    def option(self) -> str:
        """The key that names its column."""
        ...

    @property
    def noun(self) -> str:
        """What a person calls one."""
        ...

    @property
    def has_copies(self) -> bool:
        """Whether a row may carry cc and bcc."""
        ...

    def find_column(self, columns: Iterable[str]) -> str | None:
        """The column that is called as one of it. Raises `ValueError` where two are."""
        ...

    def no_column(self, columns: Iterable[str]) -> str:
        """The sentence where none is."""
        ...

    def text_of(self, cell: Any) -> str | None:
        """The cell as text; None where it holds something that is none."""
        ...

    def checked(self, text: str) -> tuple[str, str]:
        """The address, and its domain where it has one. Raises `ValueError`, a sentence."""
        ...

    def facts(self, column: str | None) -> list[str | None]:
        """What a list's digest has to hold of how its addresses are understood."""
        ...


@value_class
class MailAddresses:
    """Mail addresses, kept as they are written."""

    option: str = "email"
    noun: str = "address"
    has_copies: bool = True

    def find_column(self, columns: Iterable[str]) -> str | None:
        """A column that is called as an address column is."""
        return find_column(columns, EMAIL_ALIASES, "address", self.option)

    def no_column(self, columns: Iterable[str]) -> str:
        """The sentence where none is."""
        return no_email_column(columns)

    def text_of(self, cell: Any) -> str | None:
        """Text alone is an address."""
        return cell if isinstance(cell, str) else None

    def checked(self, text: str) -> tuple[str, str]:
        """The address as it is written."""
        try:
            return text, parse_address(text).domain
        except ValueError as error:
            raise ValueError(f"`{excerpt(text)}` is not an address: {error}") from error

    def facts(self, column: str | None) -> list[str | None]:
        """Nothing: an address is what it is, and the options have its column."""
        del column
        return []


@value_class
class Numbers:
    """Telephone numbers, made E.164."""

    #: Where those without a country code are from.
    region: str
    option: str = "mobile"
    noun: str = "number"
    has_copies: bool = False

    def find_column(self, columns: Iterable[str]) -> str | None:
        """A column that is called as one of numbers is."""
        return find_column(columns, MOBILE_ALIASES, "number", self.option)

    def no_column(self, columns: Iterable[str]) -> str:
        """The sentence where none is."""
        return no_mobile_column(columns)

    def text_of(self, cell: Any) -> str | None:
        """Spreadsheets, JSON and YAML make numbers of what is all digits."""
        if isinstance(cell, str):
            return cell
        if isinstance(cell, bool) or not isinstance(cell, int | float):
            return None
        return str(int(cell)) if cell == int(cell) else str(cell)

    def checked(self, text: str) -> tuple[str, str]:
        """The number in E.164."""
        try:
            return parse_number(text, self.region), ""
        except ValueError as error:
            raise ValueError(f"`{printable(text)}` is not a telephone number: {error}") from error

    def facts(self, column: str | None) -> list[str | None]:
        """Another region makes other numbers of the same list."""
        return [self.region, column]


MAIL_ADDRESSES = MailAddresses()


def address_kind(campaign: Campaign) -> AddressKind:
    """What the campaign's rows are addressed by."""
    return MAIL_ADDRESSES if campaign.sms is None else Numbers(campaign.sms.default_region)


def named_column(campaign: Campaign) -> tuple[str | None, tuple[str, ...]]:
    """The column that the campaign names for it, and where it does; None: it names none."""
    options = campaign.model.recipients
    if campaign.sms is None:
        return options.email, ("recipients", "email")
    if campaign.sms.mobile is not None:
        return campaign.sms.mobile, ("mobile",)
    return options.mobile, ("recipients", "mobile")
