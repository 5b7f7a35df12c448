"""Webhooks: what is posted, how it is signed, and what is made of each answer."""

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from khien.channels import webhook
from khien.channels.webhook import Webhook
from khien.errors import InputError, UnavailableError
from khien.model import Delivery, Notice
from khien.triage import tokens
from tests.channels import samples
from tests.channels.sides import HOST, NOON, HookSide, certificate

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = b"k" * 32


@pytest.fixture
def side(tmp_path: Path) -> Iterator[HookSide]:
    side = HookSide(certificate(tmp_path))
    yield side
    side.close()


@pytest.fixture
def channel(side: HookSide, tmp_path: Path) -> Webhook:
    for name, content in (("secret", SECRET.encode()), ("key", KEY)):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    return Webhook(
        lambda: NOON, allow=("127.0.0.0/8",), ports=(side.port,), authorities_file=str(tmp_path / "server.pem"),
        site="https://warn.csirt.example", key_file=str(tmp_path / "key"),
    )  # fmt: skip


def to(side: HookSide, tmp_path: Path, notice: Notice, **changed: Any) -> Delivery:
    told = {"channel": "webhook", "secret_file": str(tmp_path / "secret"), **changed}
    return samples.to(notice, told.pop("address", side.url), **told)


def test_signature_is_that_of_the_standard() -> None:
    """The example of standardwebhooks.com."""
    key = b64decode(SECRET.removeprefix("whsec_"))
    said = webhook.signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert said == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_is_posted_is_signed_and_not_defanged(side: HookSide, channel: Webhook, tmp_path: Path) -> None:
    notice = samples.notice()
    delivery = to(side, tmp_path, notice)
    assert channel.send(notice, delivery, samples.commit) == "204"
    [(headers, body)] = side.posts
    signed = f"{delivery.id}.{int(NOON.timestamp())}.".encode() + body
    expected = b64encode(hmac.new(b64decode(SECRET.removeprefix("whsec_")), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-id"] == delivery.id
    assert headers["webhook-timestamp"] == str(int(NOON.timestamp()))
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["content-type"] == "application/json"
    document = json.loads(body)
    assert (document["version"], document["type"]) == (1, "notice")
    told = document["data"]
    assert told["subjects"][0]["value"] == "vietc0mbank-login.top"
    assert told["link"] == f"https://warn.csirt.example{tokens.notice_path(KEY, 'vi', notice.id)}"
    assert set(told["headline"]) == {"vi", "en"}
    assert told["reasons"][0]["code"] == "ascii-lookalike"
    assert "Vietcombank" in told["reasons"][0]["vi"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (302, UnavailableError),
        (404, UnavailableError),
        (429, UnavailableError),
        (500, UnavailableError),
        (410, InputError),
    ],
)
def test_an_answer_is_a_yes_a_no_or_not_now(
    side: HookSide, channel: Webhook, tmp_path: Path, status: int, error: type[Exception]
) -> None:
    side.answer = status, {"Location": "http://169.254.169.254/"}
    notice = samples.notice()
    with pytest.raises(error, match=str(status)):
        channel.send(notice, to(side, tmp_path, notice), samples.commit)


def test_who_asks_us_to_wait_is_not_asked_meanwhile(side: HookSide, channel: Webhook, tmp_path: Path) -> None:
    side.answer = 429, {"Retry-After": "3600"}
    notice = samples.notice()
    with pytest.raises(UnavailableError, match="429"):
        channel.send(notice, to(side, tmp_path, notice), samples.commit)
    side.answer = 204, {}
    with pytest.raises(UnavailableError, match=r"again in 3[56]\d\d s"):
        channel.send(notice, to(side, tmp_path, notice), samples.commit)
    assert side.posts == []


def test_nobody_leads_it_inside(side: HookSide, tmp_path: Path, channel: Webhook) -> None:
    notice = samples.notice()
    outside = Webhook(lambda: NOON, ports=(side.port,), authorities_file=str(tmp_path / "server.pem"))
    with pytest.raises(InputError, match="public Internet"):
        outside.send(notice, to(side, tmp_path, notice), samples.commit)
    with pytest.raises(InputError, match="https"):
        outside.send(notice, to(side, tmp_path, notice, address="http://hooks.example/"), samples.commit)
    for address in ("http://8.8.8.8/", f"https://{HOST}:1/hook"):
        with pytest.raises(InputError):
            channel.send(notice, to(side, tmp_path, notice, address=address), samples.commit)
    assert side.posts == []


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_???", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
def test_a_secret_that_is_none_is_named_and_not_told(
    side: HookSide, channel: Webhook, tmp_path: Path, secret: str
) -> None:
    (tmp_path / "secret").write_text(secret)
    notice = samples.notice()
    with pytest.raises(UnavailableError, match="is no secret of a webhook") as met:
        channel.send(notice, to(side, tmp_path, notice), samples.commit)
    assert not secret.removeprefix("whsec_") or secret not in str(met.value)
    with pytest.raises(UnavailableError, match="names no secret_file"):
        channel.send(notice, to(side, tmp_path, notice, secret_file=""), samples.commit)
