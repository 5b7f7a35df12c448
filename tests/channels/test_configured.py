"""Channels as a configuration asks for them: paths are beside the file, and a wrong setting is named."""

from pathlib import Path

import pytest

from khien.app import assembly
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
    channels = assembly.load(written(tmp_path, MAIL)).channels
    mail, abuse, hooks = (channels[name] for name in ("mail", "abuse", "hooks"))
    assert isinstance(mail, Mail)
    assert isinstance(abuse, Abuse)
    assert isinstance(hooks, Webhook)
    assert mail.post.password_file == str(tmp_path / "secrets/mail")
    assert (mail.site, mail.contact) == ("https://warn.csirt.example", "1800 1234")
    assert mail.key_file == hooks.key_file
    assert (abuse.post.port, abuse.post.security) == (465, "tls")
    assert hooks.clock().tzinfo is not None


@pytest.mark.parametrize("public", ["https://warn.csirt.example:8443/", "http://127.0.0.1:8460", "http://localhost"])
def test_where_the_site_is_reached(tmp_path: Path, public: str) -> None:
    site = assembly.load(written(tmp_path, MAIL.replace("https://warn.csirt.example", public))).site
    assert site is not None
    assert site.public == public


@pytest.mark.parametrize("way", ['post = { reply_to = "soc@csirt.example", ', 'contact = "1800 1234"\npost = { '])
def test_a_letter_can_be_answered(tmp_path: Path, way: str) -> None:
    config = MAIL.replace('public = "https://warn.csirt.example"\ncontact = "1800 1234"', "")
    assert assembly.load(written(tmp_path, config.replace("post = { ", way, 1))).channels


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("port = 465", "prot = 465", "prot"),
        ('"tls"', '"ssl"', "khien.toml:12: channel 'abuse': post.security: .* give 'none' or 'starttls' or 'tls'"),
        ("security =", "securiti =", "channel 'abuse': post.securiti: there is no such setting: there is host, sender"),
        (
            'public = "https://warn.csirt.example"\ncontact = "1800 1234"',
            "",
            "6: channel 'mail': .* give .site. public",
        ),
        ('sender = "warn@csirt.example", ', "", "sender"),
        ("allow = ", "clock = ", "no setting clock"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        assembly.load(written(tmp_path, MAIL.replace(right, wrong)))
