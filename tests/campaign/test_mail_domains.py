from bulkmail.campaign.mail_domains import MAIL_DOMAINS, group_name, provider_of


def test_no_domain_is_in_two_places() -> None:
    domains = [domain for group in MAIL_DOMAINS.values() for domain in group]

    assert len(domains) == len(set(domains))
    assert all(domain == domain.lower() and "." in domain for domain in domains)


def test_a_provider_is_found_by_any_of_its_names() -> None:
    assert group_name("163") == group_name("126") == group_name("NetEase") == "netease"
    assert group_name("hotmail") == "outlook"
    assert group_name("gmial") is None


def test_a_domain_is_its_providers() -> None:
    assert provider_of("GoogleMail.com") == "gmail"
    assert provider_of("corp.example") is None
