"""The big mailbox providers by name, and the domains whose mailboxes they keep.

A limit for a recipient domain counts all domains of the same house together, as that house does.
Companies' own domains that a provider hosts are not here: which they are is in the DNS.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

MAIL_DOMAINS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "gmail": ("gmail.com", "googlemail.com"),
        "outlook": (
            *("outlook.com", "hotmail.com", "live.com", "msn.com", "passport.com"),
            *(f"outlook.{place}" for place in ("fr", "de", "es", "it", "jp", "kr", "in", "ie")),
            *(f"outlook.{place}" for place in ("com.au", "com.br", "com.ar", "com.tr", "co.id")),
            *(f"hotmail.{place}" for place in ("fr", "de", "es", "it", "be", "ca", "nl", "se")),
            *(f"hotmail.{place}" for place in ("co.uk", "co.jp", "co.th", "com.br", "com.ar")),
            *(f"live.{place}" for place in ("fr", "de", "it", "nl", "be", "ca", "cn", "se", "dk")),
            *(f"live.{place}" for place in ("co.uk", "com.au", "com.mx", "com.pt", "jp", "no")),
        ),
        "yahoo": (
            *("yahoo.com", "ymail.com", "rocketmail.com", "myyahoo.com", "yahoo.ca", "yahoo.fr"),
            *(f"yahoo.{place}" for place in ("de", "es", "it", "in", "ie", "se", "no", "dk", "pl")),
            *(f"yahoo.co.{place}" for place in ("uk", "in", "id", "nz", "th", "za", "kr")),
            *(f"yahoo.com.{place}" for place in ("au", "br", "ar", "mx", "hk", "sg", "tw", "ph")),
            *("yahoo.com.vn", "yahoo.com.my", "yahoo.com.tr", "yahoo.ro", "yahoo.gr"),
            *("aol.com", "aol.co.uk", "aol.de", "aol.fr", "aim.com", "verizon.net"),
        ),
        "yahoo-japan": ("yahoo.co.jp", "ymail.ne.jp"),
        "icloud": ("icloud.com", "me.com", "mac.com"),
        "qq": ("qq.com", "vip.qq.com", "foxmail.com"),
        "netease": ("163.com", "126.com", "yeah.net", "vip.163.com", "vip.126.com", "188.com"),
        "sina": ("sina.com", "sina.cn", "vip.sina.com", "vip.sina.cn"),
        "sohu": ("sohu.com", "vip.sohu.com"),
        "aliyun": ("aliyun.com",),
        "china-mobile": ("139.com",),
        "china-telecom": ("189.cn", "21cn.com"),
        "gmx": ("gmx.de", "gmx.net", "gmx.at", "gmx.ch", "gmx.com", "web.de", "mail.com"),
        "t-online": ("t-online.de", "magenta.de"),
        "orange": ("orange.fr", "wanadoo.fr"),
        "free": ("free.fr",),
        "laposte": ("laposte.net",),
        "mail.ru": ("mail.ru", "bk.ru", "inbox.ru", "list.ru", "internet.ru"),
        "yandex": ("yandex.ru", "yandex.com", "ya.ru", "yandex.by", "yandex.kz", "yandex.ua"),
        "proton": ("proton.me", "protonmail.com", "protonmail.ch", "pm.me"),
        "zoho": ("zoho.com", "zohomail.com", "zoho.eu", "zoho.in"),
        "comcast": ("comcast.net",),
        "naver": ("naver.com",),
        "daum": ("daum.net", "hanmail.net", "kakao.com"),
    }
)
#: Other names for the same.
_ALSO = {"163": "netease", "126": "netease", "hotmail": "outlook", "aol": "yahoo"}


def group_name(name: str) -> str | None:
    """The provider's name in the table, whichever of its names was given; None: no provider."""
    name = name.lower()
    name = _ALSO.get(name, name)
    return name if name in MAIL_DOMAINS else None


def provider_of(domain: str) -> str | None:
    """The provider of the table that keeps a domain's mailboxes; None: it is not in there."""
    return _PROVIDERS.get(domain.lower())


_PROVIDERS = {domain: name for name, domains in MAIL_DOMAINS.items() for domain in domains}
