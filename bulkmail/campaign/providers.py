"""Mail providers by name: where their servers are, what they allow, what they call the password.

A campaign's server may say `provider: qq` and override any of it. Limits are those the provider
publishes for its smallest kind of account, so that a list is not cut off half way; who has more
writes `rate:`. Where a provider's limit depends on the plan, none is set here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from bulkmail.campaign.units import Rate, parse_rate
from bulkmail.value_class import value_class


@value_class(kw_only=True)
class Provider:
    """One provider's submission server."""

    #: May hold ``{region}``.
    host: str
    port: int
    security: Literal["tls", "starttls"]
    rates: tuple[Rate, ...] = ()
    #: What it wants as a password, shown when a login is refused.
    hint: str
    #: The page about it, from the project's root.
    page: str
    #: ``region:`` to what stands for it in the host; empty: the region itself is put there.
    regions: Mapping[str, str] = field(default_factory=dict)
    #: "": the region has to be said.
    default_region: str = ""

    def host_in(self, region: str | None) -> str:
        """The host name in a region. Raises `ValueError` with a sentence when there is none."""
        if "{region}" not in self.host:
            if region:
                raise ValueError("this provider has no regions")
            return self.host
        name = region or self.default_region
        if not name:
            raise ValueError("this provider needs a `region:`, such as us-east-1")
        if self.regions and name not in self.regions:
            raise ValueError(f"`{name}` is none of its regions: {', '.join(self.regions)}")
        return self.host.format(region=self.regions.get(name, name))


def _rates(*texts: str) -> tuple[Rate, ...]:
    return tuple(map(parse_rate, texts))


_NETEASE_HINT = (
    "{name} wants a client authorisation code (客户端授权密码) here, not the account's password: "
    "设置 → POP3/SMTP/IMAP → 开启SMTP服务 → 新增授权密码."
)
_OUTLOOK_HINT = (
    "Microsoft takes OAuth access tokens here, no password: `auth: xoauth2` with the token as "
    "`password`, best from a command that fetches a fresh one."
)

PROVIDERS: Mapping[str, Provider] = {
    "qq": Provider(
        host="smtp.qq.com",
        port=465,
        security="tls",
        # Ordinary accounts; members may send 500 a day and more.
        rates=_rates("100/day"),
        hint=(
            "QQ wants an authorisation code (授权码) here, not the account's password: "
            "设置 → 账户 → POP3/SMTP服务 → 生成授权码."
        ),
        page="docs/providers/qq.md",
    ),
    "163": Provider(
        host="smtp.163.com",
        port=465,
        security="tls",
        # Free accounts; new ones are held to less.
        rates=_rates("200/day"),
        hint=_NETEASE_HINT.format(name="163"),
        page="docs/providers/163.md",
    ),
    "126": Provider(
        host="smtp.126.com",
        port=465,
        security="tls",
        rates=_rates("200/day"),
        hint=_NETEASE_HINT.format(name="126"),
        page="docs/providers/126.md",
    ),
    "gmail": Provider(
        host="smtp.gmail.com",
        port=587,
        security="starttls",
        # Personal accounts; Google Workspace allows 2,000 a day.
        rates=_rates("500/day"),
        hint=(
            "Gmail wants an app password of 16 letters here, not the account's password: turn on "
            "2-Step Verification, then make one at https://myaccount.google.com/apppasswords."
        ),
        page="docs/providers/gmail.md",
    ),
    "outlook": Provider(
        host="smtp-mail.outlook.com",
        port=587,
        security="starttls",
        # Outlook.com, recipients a day without a Microsoft 365 subscription.
        rates=_rates("300/day"),
        hint=_OUTLOOK_HINT,
        page="docs/providers/outlook.md",
    ),
    "office365": Provider(
        host="smtp.office365.com",
        port=587,
        security="starttls",
        # Exchange Online's limits for SMTP client submission.
        rates=_rates("30/min", "10000/day"),
        hint=_OUTLOOK_HINT,
        page="docs/providers/office365.md",
    ),
    "yahoo": Provider(
        host="smtp.mail.yahoo.com",
        port=465,
        security="tls",
        rates=_rates("500/day"),
        hint=(
            "Yahoo wants an app password here, not the account's password: "
            "Account security → Generate app password."
        ),
        page="docs/providers/yahoo.md",
    ),
    "icloud": Provider(
        host="smtp.mail.me.com",
        port=587,
        security="starttls",
        rates=_rates("1000/day"),
        hint=(
            "iCloud wants an app-specific password here, not the Apple Account's: "
            "https://account.apple.com → Sign-In and Security → App-Specific Passwords."
        ),
        page="docs/providers/icloud.md",
    ),
    "zoho": Provider(
        host="smtp.zoho.{region}",
        port=465,
        security="tls",
        regions={name: name for name in ("com", "eu", "in", "com.au", "jp", "com.cn", "sa")},
        default_region="com",
        hint=(
            "Zoho wants an application-specific password here where two-factor login is on: "
            "My Account → Security → App Passwords. Paid organisations: `host: smtppro.zoho.com`."
        ),
        page="docs/providers/zoho.md",
    ),
    "ses": Provider(
        host="email-smtp.{region}.amazonaws.com",
        port=587,
        security="starttls",
        # The sandbox in which every account begins.
        rates=_rates("1/s", "200/day"),
        hint=(
            "Amazon SES wants SMTP credentials here, made in its console under SMTP settings; "
            "an IAM secret access key is another thing."
        ),
        page="docs/providers/ses.md",
    ),
    "sendgrid": Provider(
        host="smtp.sendgrid.net",
        port=587,
        security="starttls",
        hint="SendGrid wants an API key here, and the word `apikey` as the username.",
        page="docs/providers/sendgrid.md",
    ),
    "mailgun": Provider(
        host="smtp.{region}mailgun.org",
        port=587,
        security="starttls",
        regions={"us": "", "eu": "eu."},
        default_region="us",
        hint=(
            "Mailgun wants the SMTP password of the sending domain here, not an API key: "
            "Sending → Domain settings → SMTP credentials."
        ),
        page="docs/providers/mailgun.md",
    ),
    "brevo": Provider(
        host="smtp-relay.brevo.com",
        port=587,
        security="starttls",
        # The free plan.
        rates=_rates("300/day"),
        hint=(
            "Brevo wants an SMTP key here, not the account's password or an API key: "
            "Settings → SMTP & API → SMTP."
        ),
        page="docs/providers/brevo.md",
    ),
}
