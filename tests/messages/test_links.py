"""Links are found as people write them, and sentences are not links."""

import pytest

from khien import canon
from khien.messages.links import MOST, links


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("vào https://vcb-xacthuc.example/login, sau 30 phút", ("https://vcb-xacthuc.example/login",)),
        ("vào vcb-xacthuc.example/login.", ("vcb-xacthuc.example/login",)),
        ("hxxps://a[.]b[.]test/x", ("hxxps://a[.]b[.]test/x",)),
        ("mở vcb[.]vn ngay", ("vcb[.]vn",)),
        ("nhắn t.me/hr_shopee88 nhé", ("t.me/hr_shopee88",)),
        ("(xem dhl-duty-vn.test/pay)", ("dhl-duty-vn.test/pay",)),
        ("www.a-b.vn và www.a-b.vn", ("www.a-b.vn",)),
        ("tên miền ngân-hàng.vn", ("ngân-hàng.vn",)),
    ],
)
def test_links_as_written(text: str, found: tuple[str, ...]) -> None:
    assert links(text) == found
    assert all(canon.domain(canon.host_of(link)) for link in found)


@pytest.mark.parametrize(
    "text", ["về.em nhé", "xong.Anh gọi", "3.200.000", "a@b.vn", "14.30", "ok.no problem", "v.v.", "..."]
)
def test_sentences_are_no_links(text: str) -> None:
    assert links(text) == ()


def test_no_more_than_so_many() -> None:
    assert len(links(" ".join(f"a{n}.vn" for n in range(3 * MOST)))) == MOST
