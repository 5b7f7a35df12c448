"""Every registered channel held to its contract, on a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from khien import registry
from khien.breach import wishes
from khien.channels.mail.abuse import Abuse
from khien.channels.mail.notices import Mail
from khien.channels.mail.post import Post
from khien.channels.mail.wishes import Wishes
from khien.channels.webhook import Webhook
from khien.testing.channel import check_channel
from tests.channels import samples
from tests.channels.sides import HOST, NOON, HookSide, MailSide, certificate

pytestmark = pytest.mark.filterwarnings("ignore:Session.login_data:DeprecationWarning")

PASSWORD = "mật khẩu 123".encode().hex()
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return certificate(tmp_path)


@pytest.fixture
def mail(pem: Path) -> Iterator[MailSide]:
    side = MailSide(pem, password=PASSWORD)
    yield side
    side.close()


@pytest.fixture
def post(mail: MailSide, pem: Path, tmp_path: Path) -> Post:
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    return Post(
        host=HOST, port=mail.port, sender="warn@csirt.example", user="khien", password_file=str(tmp_path / "password"),
        authorities_file=str(pem), seconds=20,
    )  # fmt: skip


def test_every_channel_is_tried_here() -> None:
    assert registry.names("channels") == ("abuse", "mail", "webhook", "wishes")


def test_mail(mail: MailSide, post: Post) -> None:
    record = samples.notice()
    check_channel(Mail(post), record, samples.to(record, "soc@bank.example"), mail, secrets=[PASSWORD])
    assert all(mail.secured)


def test_abuse(mail: MailSide, post: Post) -> None:
    record = samples.takedown()
    check_channel(Abuse(post), record, samples.to(record, "abuse@host.example"), mail, secrets=[PASSWORD])


def test_wishes(mail: MailSide, post: Post, tmp_path: Path) -> None:
    key, address = bytes(range(32)), "lan.nguyen@example.vn"
    opens = tmp_path / "wishes.key"
    opens.write_bytes(key)
    opens.chmod(0o600)
    record = samples.wish(wishes.seal(address, wishes.public_of(key), key[::-1]))
    channel = Wishes(post, str(opens), "https://csirt.example")
    check_channel(channel, record, samples.to(record, record.id, channel="wishes"), mail, secrets=[PASSWORD, address])
    assert {to for _, told in mail.envelopes for to in told} == {address}


def test_webhook(pem: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    (tmp_path / "secret").chmod(0o600)
    side = HookSide(pem)
    record = samples.notice()
    to = samples.to(record, side.url, channel="webhook", secret_file=str(tmp_path / "secret"))
    channel = Webhook(lambda: NOON, allow=("127.0.0.0/8",), ports=(side.port,), authorities_file=str(pem))
    try:
        check_channel(channel, record, to, side, secrets=[SECRET])
    finally:
        side.close()
