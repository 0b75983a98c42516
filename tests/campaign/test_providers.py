"""The table of providers."""

import pytest

from bulkmail.campaign.providers import PROVIDERS


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_provider_is_complete(name: str) -> None:
    provider = PROVIDERS[name]

    assert (provider.port, provider.security) in {(465, "tls"), (587, "starttls")}
    assert provider.hint
    assert provider.page == f"docs/providers/{name}.md"
    region = "us-east-1" if name == "ses" else None
    assert "{" not in provider.host_in(region)


@pytest.mark.parametrize(
    ("name", "region", "host"),
    [
        ("ses", "eu-west-1", "email-smtp.eu-west-1.amazonaws.com"),
        ("mailgun", None, "smtp.mailgun.org"),
        ("mailgun", "eu", "smtp.eu.mailgun.org"),
        ("zoho", "com.cn", "smtp.zoho.com.cn"),
        ("qq", None, "smtp.qq.com"),
    ],
)
def test_a_region_is_part_of_the_host(name: str, region: str | None, host: str) -> None:
    assert PROVIDERS[name].host_in(region) == host


@pytest.mark.parametrize(
    ("name", "region", "sentence"),
    [
        ("ses", None, "needs a `region:`"),
        ("mailgun", "cn", "none of its regions: us, eu"),
        ("qq", "cn", "has no regions"),
    ],
)
def test_a_region_that_is_none_is_refused(name: str, region: str | None, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        PROVIDERS[name].host_in(region)
