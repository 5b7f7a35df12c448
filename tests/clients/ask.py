"""One client of Pwned Passwords in Python, as its users call it; runs in the clients' own environment.

Reads JSON: the name of a client, the address of a server (for those that take one), whether to ask for padding, and
passwords by name. Writes JSON: what the client says of each; what it raised is a text.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Check = Callable[[str], Any]

BIN = Path(sys.executable).parent


def pwned_passwords_django(url: str, padding: bool) -> Check:
    """A class attribute. Asked in the plain and the asynchronous way, and as a validator of Django."""
    _django(PWNED_PASSWORDS={"ADD_PADDING": padding, "API_TIMEOUT": 10})
    from pwned_passwords_django.api import PwnedPasswords
    from pwned_passwords_django.validators import PwnedPasswordsValidator

    PwnedPasswords.api_endpoint = f"{url}/range/"

    def check(password: str) -> int:
        client = PwnedPasswords()
        count = client.check_password(password)
        assert asyncio.run(client.check_password_async(password)) == count
        assert _refused(PwnedPasswordsValidator(api_client=client), password) == bool(count)
        return count

    return check


def django_pwned(url: str, _padding: bool) -> Check:
    """A constant of its module. Asked as a function, and as a validator of Django."""
    _django()
    from django_pwned import api
    from django_pwned.validators import PwnedPasswordValidator

    api.API_ENDPOINT = url + "/range/{}"

    def check(password: str) -> int:
        count = api.get_pwned_count(password, 10)
        assert _refused(PwnedPasswordValidator(request_timeout=10), password) == bool(count)
        return count

    return check


def _django(**more: Any) -> None:
    import django
    from django.conf import settings

    settings.configure(INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"], **more)
    django.setup()


def _refused(validator: Any, password: str) -> bool:
    from django.core.exceptions import ValidationError

    try:
        validator.validate(password)
    except ValidationError:
        return True
    return False


def pwnedapi(url: str, _padding: bool) -> Check:
    """A class attribute."""
    from pwnedapi import Password

    Password.API_URL = f"{url}/range/"

    def check(password: str) -> int:
        asked = Password(password)
        asked.is_pwned()
        return asked.pwned_count

    return check


def pyhibp(url: str, padding: bool) -> Check:
    """A constant of its module."""
    import pyhibp as client
    from pyhibp import pwnedpasswords as passwords

    client.set_user_agent(ua="a test")
    passwords.PWNED_PASSWORDS_API_BASE_URI = f"{url}/"
    return lambda password: passwords.is_password_breached(password, add_padding=padding)


def pwnedpasswords(url: str, _padding: bool) -> Check:
    """A static method that makes the address."""
    import pwnedpasswords as client
    from pwnedpasswords.pwnedpasswords import PwnedPasswordsAPI

    PwnedPasswordsAPI.url = staticmethod(lambda *path: "/".join((url, *path)))
    return lambda password: client.check(password, plain_text=True)


def flask_security(_url: str, _padding: bool) -> Check:
    """Unmodified."""
    from flask_security import pwned

    return pwned


def hibpwned(_url: str, _padding: bool) -> Check:
    """Unmodified."""
    from hibpwned import Pwned

    client = Pwned("nobody@example.org", "a test", "")
    return lambda password: int(client.search_password(password))  # it answers digits


def hibpcli(_url: str, _padding: bool) -> Check:
    """Unmodified, its command."""
    sayings = {"Please change your password!": True, "Your password has not been reported leaked until now.": False}

    def check(password: str) -> bool | str:
        said = _said(BIN / "hibpcli", "check-password", "--password", password)
        return sayings.get(said, said)

    return check


def hibp_downloader(_url: str, _padding: bool, *options: str) -> Check:
    """Unmodified, its commands: takes a range home, asks again by ETag, and looks in there."""
    folder = tempfile.mkdtemp(dir=os.environ["TMPDIR"])
    program = (BIN / "hibp-downloader", "--data-path", folder)
    through = ("--http-proxy", os.environ["HTTPS_PROXY"], "--http-certificates", os.environ["SSL_CERT_FILE"])
    fetch = (*program, "download", "--processes", "1", "--http-max-retries", "1", *options, *through)

    def check(password: str) -> int | str:
        query = (*program, "--quiet", "query", *options)
        digest = json.loads(_said(*query, HIBPDL_PASSWORD=password))["hash"]
        prefix = digest[:5]
        only = ("--first-hash", prefix, "--last-hash", prefix)
        _said(*fetch, *only)
        (noted,) = Path(folder).rglob(f"{prefix.lower()}.meta")
        before = noted.read_bytes()
        _said(*fetch, *only, "--local-cache-ttl", "0")
        assert noted.read_bytes() == before, "a range that has not changed was sent again"
        found = json.loads(_said(*query, HIBPDL_PASSWORD=password))
        return found["hibp_count"] or {"Not Found": 0}.get(found["status"], found["status"])

    return check


def hibp_downloader_ntlm(url: str, padding: bool) -> Check:
    """The same for NTLM."""
    return hibp_downloader(url, padding, "--hash-type", "ntlm")


def _said(*command: str | Path, **more: str) -> str:
    done = subprocess.run(command, env=os.environ | more, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise ChildProcessError(done.stdout + done.stderr)
    return done.stdout.strip()


def main() -> None:
    asked = json.load(sys.stdin)
    check: Check = globals()[asked["client"]](asked["url"], asked["padding"])
    said: dict[str, Any] = {}
    for name, password in asked["passwords"].items():
        try:
            said[name] = check(password)
        except Exception as error:  # whatever it raises is its answer
            said[name] = f"{type(error).__name__}: {error}"
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
