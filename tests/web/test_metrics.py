"""What Khiên does, in figures: right, only for who may see them, and without anybody's name."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.parser import text_string_to_metric_families

from khien import officers
from khien.model import Delivery
from tests.web.filled import secret
from tests.web.test_desk import Desk, desk

__all__ = ["desk"]


def asked(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {officers.TOKEN}{secret(role)}"}


def test_figures_are_those_of_the_store(desk: Desk) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    desk.store.save(Delivery(id="d", about="n", revision=1, channel="sms", address="soc@saothuybank.vn", due=long_ago))
    answer = desk.client.get("/metrics", headers=asked("viewer"))
    assert answer.headers["content-type"] == CONTENT_TYPE_LATEST
    told = {
        (each.name, *sorted(each.labels.values())): each.value
        for family in text_string_to_metric_families(answer.text)
        for each in family.samples
    }
    assert told["khien_source_rows_total", "ct"] == 12_000_000
    assert told["khien_source_skipped_total", "ct"] == 3
    assert told["khien_source_lag_seconds", "ct"] == 90
    assert told["khien_source_behind_rows", "ct"] == 140
    assert told["khien_notices", "high", "open"] == 2
    assert told["khien_deliveries", "mail", "sent"] == 1
    assert told["khien_takedowns", "gone"] == 1
    assert told["khien_delivery_wait_seconds",] > 1e8
    assert told["khien_findings", "false", "lookalike", "new"] == 1
    assert told["khien_first_sign_to_notice_seconds_count",] == 1
    assert told["khien_first_sign_to_notice_seconds_sum",] == 2
    assert told["khien_first_sign_to_notice_seconds_bucket", "1"] == 0
    assert told["khien_first_sign_to_notice_seconds_bucket", "2"] == 1
    assert told["khien_takedown_hours_sum",] == 3


def test_no_label_holds_whom_it_concerns(desk: Desk) -> None:
    told = desk.client.get("/metrics", headers=asked("viewer"))
    assert told.status_code == 200
    text = told.text
    for each in ("saothuy", "soc@", "registrar", "Hoa", "citizen"):
        assert each not in text


@pytest.mark.parametrize(
    ("host", "client", "headers", "status"),
    [
        ("127.0.0.1:8460", "127.0.0.1", {}, 200),
        ("localhost:8460", "::1", {}, 200),
        ("localhost:8460", "203.0.113.9", {}, 401),
        ("localhost:8460", "testclient", {}, 401),
        ("127.0.0.1:8460", "127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 401),
        ("127.0.0.1:8460", "127.0.0.1", {"Forwarded": "for=203.0.113.9"}, 401),
        ("testserver.local", "127.0.0.1", {}, 401),
        ("testserver.local", "203.0.113.9", asked("viewer"), 200),
        ("testserver.local", "203.0.113.9", {"Authorization": "Bearer khien_x"}, 401),
    ],
)
def test_only_this_machine_or_a_viewers_token(
    desk: Desk, host: str, client: str, headers: dict[str, str], status: int
) -> None:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(desk.client.app, client=(client, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as program:
            return await program.get("/metrics", headers=headers)

    assert asyncio.run(asked()).status_code == status
