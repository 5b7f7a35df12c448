"""Channels as a configuration asks for them: paths are beside the file, and a wrong setting is named."""

from pathlib import Path

import pytest

from khien import app
from khien.channels.mail.abuse import Abuse
from khien.channels.mail.notices import Mail
from khien.channels.webhook import Webhook
from khien.errors import ConfigError

MAIL = """
[site]
public = "https://warn.csirt.example"
contact = "1800 1234"

[[channel]]
kind = "mail"
post = { host = "mail.example", sender = "warn@csirt.example", password_file = "secrets/mail" }

[[channel]]
kind = "abuse"
post = { host = "mail.example", sender = "takedown@csirt.example", security = "tls", port = 465 }

[[channel]]
name = "hooks"
kind = "webhook"
allow = ["10.20.0.0/16"]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "khien.toml"
    path.write_text(text)
    return path


def test_channels_get_what_is_ours(tmp_path: Path) -> None:
    channels = app.load_config(written(tmp_path, MAIL)).channels
    mail, abuse, hooks = (channels[name] for name in ("mail", "abuse", "hooks"))
    assert isinstance(mail, Mail)
    assert isinstance(abuse, Abuse)
    assert isinstance(hooks, Webhook)
    assert mail.post.password_file == str(tmp_path / "secrets/mail")
    assert (mail.site, mail.contact) == ("https://warn.csirt.example", "1800 1234")
    assert mail.key_file == hooks.key_file
    assert (abuse.post.port, abuse.post.security) == (465, "tls")
    assert hooks.clock().tzinfo is not None


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("port = 465", "prot = 465", "prot"),
        ('"tls"', '"ssl"', "ssl"),
        ('sender = "warn@csirt.example", ', "", "sender"),
        ("allow = ", "clock = ", "no setting clock"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        app.load_config(written(tmp_path, MAIL.replace(right, wrong)))
