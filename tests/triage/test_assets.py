"""What is somebody's has one spelling, and whatever concerns it finds it."""

from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publicsuffixlist import PublicSuffixList

from khien.errors import InputError
from khien.model import AssetKind, Finding
from khien.triage import assets
from khien.triage.assets import Known

KNOWN = Known({"saothuy", "sao-kim", "buu-dien"}, PublicSuffixList().is_public)


def finding(kind: str, subject: str, claim: str = "saothuy") -> Finding:
    raised = datetime(2026, 11, 22, tzinfo=UTC)
    return Finding(id="f", detector="d", kind=kind, subject=subject, claim=claim, score=0.9, raised=raised)


def wanted(kind: str, subject: str) -> dict[str, tuple[str, ...]]:
    return dict(assets.wanted(finding(kind, subject)))


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("domain", " SaoThuyBank.VN. ", "saothuybank.vn"),
        ("domain", "*.saothuybank.com.vn", "saothuybank.com.vn"),
        ("domain", "Ngân-Hàng.vn", "xn--ngn-hng-dwao.vn"),
        ("domain", "xn--ngn-hng-dwao.vn", "xn--ngn-hng-dwao.vn"),
        ("domain", "our-page.github.io", "our-page.github.io"),
        ("domain", "www.ck", "www.ck"),
        ("mail-domain", "MAIL.saothuybank.vn", "mail.saothuybank.vn"),
        ("brand", " saothuy ", "saothuy"),
        ("prefix", "203.0.113.0/24", "203.0.113.0/24"),
        ("prefix", "203.0.113.0/255.255.255.0", "203.0.113.0/24"),
        ("prefix", "203.0.113.7", "203.0.113.7/32"),
        ("prefix", "::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ("prefix", "::ffff:203.0.113.7", "203.0.113.7/32"),
        ("prefix", "2001:0DB8:0::/32", "2001:db8::/32"),
        ("prefix", "2001:db8::1", "2001:db8::1/128"),
    ],
)
def test_one_spelling(kind: AssetKind, text: str, value: str) -> None:
    assert KNOWN.canonical(kind, text) == value
    assert KNOWN.canonical(kind, value) == value
    assert KNOWN.asset("a", kind, text) == KNOWN.asset("a", kind, value)
    assert KNOWN.asset("a", kind, text).id != KNOWN.asset("b", kind, text).id
    assert KNOWN.asset("a", kind, text).proof is None


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("domain", "vn", "'vn' is a public suffix"),
        ("domain", "com.vn", "'com.vn' is a public suffix"),
        ("domain", "github.io", "is a public suffix"),
        ("domain", "foo.ck", "is a public suffix"),
        ("domain", "nothing-such", "is a public suffix"),
        ("domain", "xn--p1ai", "is a public suffix"),
        ("mail-domain", "co.uk", "is a public suffix"),
        ("mail-domain", "soc@saothuybank.vn", "has '@'"),
        ("domain", "203.0.113.7", "is a number or an address"),
        ("domain", "https://saothuybank.vn/", "has '/'|which no domain name has|':'"),
        ("domain", ".".join(["a"] * 16 + ["vn"]), "more than 16 labels"),
        ("domain", "", "has 0"),
        ("brand", "saothuyy", "no protected name 'saothuyy': give the id of one in the register"),
        ("brand", "", "no protected name"),
        ("prefix", "203.0.113.7/24", "has bits behind its length: write 203.0.113.0/24"),
        ("prefix", "0.0.0.0/0", "the length of an IPv4 prefix is 8 to 32"),
        ("prefix", "10.0.0.0/4", "the length of an IPv4 prefix is 8 to 32"),  # not: write 0.0.0.0/4
        ("prefix", "2001:db8::/96", "the length of an IPv6 prefix is 16 to 64, or 128"),
        ("prefix", "::ffff:0.0.0.0/96", "the length of an IPv4 prefix"),
        ("prefix", "fe80::%eth0/64", "names an interface"),
        ("prefix", "saothuybank.vn", "is no prefix"),
        ("prefix", "203.0.113.0/33", "is no prefix"),
    ],
)
def test_what_is_none_says_why(kind: AssetKind, text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        KNOWN.canonical(kind, text)


def test_a_site_concerns_the_brand_it_imitates_and_whose_name_it_is_below() -> None:
    told = wanted("domain", "login.shop.saothuybank.com.vn")
    assert told["brand"] == ("saothuy",)
    assert told["domain"] == (
        "login.shop.saothuybank.com.vn",
        "shop.saothuybank.com.vn",
        "saothuybank.com.vn",
        "com.vn",  # nobody's: a suffix is no asset
    )


def test_a_name_of_many_labels_still_finds_every_domain_that_may_be_an_asset() -> None:
    told = wanted("domain", ".".join(["a"] * 100 + ["saothuybank", "vn"]))["domain"]
    assert len(told) == 15
    assert told[-1] == "saothuybank.vn"
    assert all(KNOWN.canonical("domain", each) == each for each in told)
    assert len(told[0].split(".")) == assets.MOST_LABELS


def test_overlapping_prefixes_are_found_the_narrowest_first() -> None:
    told = wanted("address", "203.0.113.7")["prefix"]
    places = [told.index(each) for each in ("203.0.113.7/32", "203.0.113.0/28", "203.0.113.0/24", "203.0.0.0/8")]
    assert places == sorted(places)
    assert "203.0.113.16/28" not in told


def test_a_network_that_is_hit_is_also_theirs_who_have_a_part_of_it() -> None:
    told = wanted("network", "203.0.113.0/24")["prefix"]
    assert {"203.0.113.16/28", "203.0.113.128/25", "203.0.113.0/24", "203.0.112.0/20"} < set(told)
    assert "203.0.114.0/24" not in told


@given(
    st.one_of(
        st.tuples(st.ip_addresses(v=4), st.integers(8, 32)),
        st.tuples(st.ip_addresses(v=6), st.integers(16, 64) | st.just(128)),
    ),
    st.integers(0, 112),
)
def test_a_prefix_is_found_by_all_that_lies_in_it(at: tuple[object, int], longer: int) -> None:
    address, bits = at
    prefix = ip_network(f"{address}/{bits}", strict=False)
    value = KNOWN.canonical("prefix", str(prefix))
    inside: IPv4Network | IPv6Network = ip_network(
        f"{address}/{min(bits + longer, prefix.max_prefixlen)}", strict=False
    )
    told = wanted("network", str(inside))["prefix"]
    if (mapped := ip_network(value)).version == inside.version:
        assert str(mapped) in told
    assert len(set(told)) == len(told) <= 100
    lengths = [ip_network(each).prefixlen for each in told]
    assert lengths == sorted(lengths, reverse=True)
    assert all(ip_network(each).overlaps(inside) for each in told)
