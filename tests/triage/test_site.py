"""Whose site it is, from its name and what is known of it."""

from datetime import timedelta

import pytest

from khien.model import Reason
from khien.names import owners
from khien.triage import site
from khien.triage.weigh import standing
from tests.triage.situations import NOON, finding, listed, registered, said

BELOW = "vietcombank.login.old-florist.example.com"


@pytest.mark.parametrize(
    ("subject", "techniques", "days", "unit", "value", "kind"),
    [
        ("vietcombank-login.top", ("combosquat",), 3, "domain", "vietcombank-login.top", "registered-for-harm"),
        ("www.vietcombank-login.top", ("combosquat",), 3, "domain", "vietcombank-login.top", "registered-for-harm"),
        ("*.vietcombank-login.top", ("combosquat",), 3, "domain", "vietcombank-login.top", "registered-for-harm"),
        ("vietcombank-login.top", ("combosquat",), 2_000, "domain", "vietcombank-login.top", "unclear"),
        ("vietcombank-login.top", ("combosquat",), None, "domain", "vietcombank-login.top", "unclear"),
        (BELOW, ("subdomain",), 2_000, "host", BELOW, "hacked"),
        (BELOW, ("subdomain",), 3, "host", BELOW, "unclear"),
        ("vietcombank.github.io", ("combosquat",), 3, "host", "vietcombank.github.io", "shared-hosting"),
        ("vietcombank.weebly.com", ("subdomain",), 4_000, "host", "vietcombank.weebly.com", "shared-hosting"),
    ],
)
def test_a_site_and_its_unit(
    subject: str, techniques: tuple[str, ...], days: int | None, unit: str, value: str, kind: str
) -> None:
    stands = {} if days is None else standing([registered(days, subject)])
    place = site.place(finding(subject, techniques=techniques), stands, NOON)
    assert (place.unit, place.value, place.kind) == (unit, value, kind)


def test_of_a_hacked_site_no_more_is_meant_than_the_page_a_list_names() -> None:
    url = f"https://{BELOW}/wp/login"
    stands = standing([registered(2_000, "example.com"), listed(BELOW, url=url)])
    place = site.place(finding(BELOW, techniques=("subdomain",)), stands, NOON)
    assert (place.unit, place.value, place.kind) == ("url", url, "hacked")


def test_the_detector_knows_hosts_that_the_list_does_not() -> None:
    found = finding(reasons=(Reason(code="hosting", params={"suffix": "top"}),))
    assert site.place(found, {}, NOON).kind == "shared-hosting"


@pytest.mark.parametrize(
    ("host", "owner", "shared"),
    [
        ("a.b.example.com.vn", "example.com.vn", False),
        ("a.b.pages.dev", "b.pages.dev", True),
        ("x.y.weebly.com", "y.weebly.com", True),
        ("weebly.com", "weebly.com", True),
        ("com.vn", "com.vn", False),
        ("localhost", "localhost", False),
    ],
)
def test_who_owns_a_name(host: str, owner: str, shared: bool) -> None:
    assert (owners.registrable(host), owners.is_shared(host)) == (owner, shared)


def test_how_long_a_name_is_registered() -> None:
    assert site.registered_for(registered(3), NOON) == timedelta(days=3)
    assert site.registered_for(said("registration", "registered", created="2026-02-27"), NOON) == timedelta(
        days=3, hours=12
    )
    assert site.registered_for(said("registration", "registered", created="long ago"), NOON) is None
    assert site.registered_for(None, NOON) is None
