"""Commands about stolen accounts."""

from pathlib import Path
from string import hexdigits
from typing import Any

import click

from khien.cli.commands import options

FORMS = ("combo", "stealer", "csv", "jsonl", "sha1", "ntlm")  # sources.dumps.forms.Form


@click.group()
def breach() -> None:
    """Take in what leaked, answer who asks, and never know whom.

    \b
    Examples:
      khien breach collections add shop-2026.toml
      khien breach import combo.txt.gz --collection shop-2026
      khien breach check
      khien breach match roster.csv --url https://csirt.example --token-file token -o leaked.csv
    """


@breach.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--collection", required=True, metavar="ID", callback=options.text, help="What they leaked with.")
@click.option("--form", type=click.Choice(FORMS), help="How they are laid out. Default: seen from each.")
@click.option(
    "--columns", default="", metavar="COLUMNS", callback=options.text,
    help="Of sheets, where their names do not say: account=NAME,secret=NAME.",
)  # fmt: skip
@click.option("--encoding", default="", metavar="NAME", callback=options.text, help="As windows-1258. Default: UTF-8.")
@click.option("--hashed", is_flag=True, help="What looks like a hash is one, and no password: it is left out.")
@click.option("--ntlm", is_flag=True, help="Keep passwords as NTLM, too, for those who ask with it.")
@click.option(
    "--set-aside", metavar="FILE", help="Write where broken rows are, why, and a keyed digest, as JSON lines."
)
@options.by
@options.data
@click.option("--format", type=click.Choice(("text", "json")), default="text", help="Of the sums. Default: text.")
@options.lang
def breach_import(files: tuple[Path, ...], data: Path | None, **settings: Any) -> int:
    """Take in files of what leaked: hashed and blinded while they are read, and never written down.

    Combination lists, logs of stealers, CSV, JSON lines, lists of hashes; plain, or as gzip, zstd, bzip2, xz or zip.
    Killed or out of room, the same command goes on where it was; a file that was taken in already adds nothing.

    \b
    Examples:
      khien breach import combo.txt.gz --collection shop-2026
      khien breach import customers.csv --collection shop-2026 --columns account=kontakt,secret=code
      khien breach import log.zip --collection stealer-2026-10 --form stealer --set-aside broken.jsonl
    """
    from khien.cli import breach

    return breach.take_in(files, data, **settings)


@breach.command("delete")
@click.argument("collection", metavar="COLLECTION", callback=options.text)
@options.why
@options.by
@options.data
@options.lang
def breach_delete(collection: str, data: Path | None, **settings: Any) -> int:
    """Delete a collection: no file has its accounts any more. Counts of passwords stay: nobody is in them.

    \b
    Example:
      khien breach delete shop-2026 --why "its day has come"
    """
    from khien.cli import breach

    return breach.delete(collection, data, **settings)


@breach.command("give-up")
@click.argument("id", metavar="COLLECTION|INTAKE", callback=options.text)
@options.why
@options.by
@options.data
@options.lang
def breach_give_up(id: str, data: Path | None, **settings: Any) -> int:
    """Take away what was read of a file that cannot be taken in to its end, or of all such files of a collection.

    What was taken in to its end stays. khien breach collections show names what is not.

    \b
    Example:
      khien breach give-up shop-2026 --why "the archive is damaged"
    """
    from khien.cli import breach

    return breach.give_up(id, data, **settings)


@breach.group("collections")
def collections() -> None:
    """Say what leaked together, and on what ground it is held.

    \b
    Examples:
      khien breach collections add shop-2026.toml
      khien breach collections list
      khien breach collections show shop-2026
    """


@collections.command("add")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@options.by
@options.data
@options.lang
def collections_add(file: Path, data: Path | None, **settings: Any) -> int:
    """Enter a collection from a TOML file, or say anew what is known of it.

    \b
    The least of a file:
      id = "shop-2026"
      label = "Shop"
      kinds = ["address", "password"]
      given_by = "the shop"
      basis = "its report of the breach"
      purpose = "to warn those in it"
      until = 2028-10-01

    \b
    Example:
      khien breach collections add shop-2026.toml
    """
    from khien.cli import breach

    return breach.enter(file, data, **settings)


@collections.command("list")
@options.data
@options.text_or_jsonl
@options.lang
def collections_list(data: Path | None, format: str, language: str) -> int:
    """List the collections that are held.

    \b
    Examples:
      khien breach collections list
      khien breach collections list --format jsonl | jq -r .id
    """
    from khien.cli import breach

    return breach.everything(data, format, language)


@collections.command("show")
@click.argument("id", metavar="ID", callback=options.text)
@options.data
@options.text_or_jsonl
@options.lang
def collections_show(id: str, data: Path | None, format: str, language: str) -> int:
    """Show one collection: what leaked, on what ground it is held, until when, and what was taken in.

    \b
    Example:
      khien breach collections show shop-2026
    """
    from khien.cli import breach

    return breach.show(id, data, format, language)


_mode = click.option("--mode", type=click.Choice(("sha1", "ntlm")), default="sha1", help="Of hashes. Default: sha1.")


@breach.command("import-passwords")
@click.argument("path", metavar="FILE_OR_FOLDER", type=click.Path(path_type=Path))
@_mode
@click.option("--smaller", is_flag=True, help="The list may have less than half of what is held.")
@options.by
@options.data
@options.lang
def breach_import_passwords(path: Path, data: Path | None, **settings: Any) -> int:
    """Take in a list of hashes that others publish, such as Pwned Passwords.

    A file of lines HASH:COUNT replaces the whole list, unless a line of it is broken. Of a folder, each file 21BD1.txt
    of lines SUFFIX:COUNT replaces what is held of its prefix, and all else stays: it may have changed prefixes alone.

    \b
    Examples:
      khien breach import-passwords pwnedpasswords.txt
      khien breach import-passwords changed/
      khien breach import-passwords pwnedpasswords_ntlm.txt --mode ntlm
    """
    from khien.cli import breach_passwords

    return breach_passwords.take(path, data=data, **settings)


@breach.group("export")
def export() -> None:
    """Write passwords for use elsewhere, as hashes.

    \b
    Examples:
      khien breach export ranges /srv/khien/sha1/range
      khien breach export keepassxc passwords.txt
      khien breach export filter passwords.filter
    """


def _prefix(_context: click.Context, _parameter: click.Parameter, given: str) -> str:
    if len(given) > 5 or not set(given) <= set(hexdigits):
        raise click.BadParameter(f"{given!r} is no beginning of five hexadecimal digits")
    return given


@export.command("ranges")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False))
@_mode
@click.option("--only", default="", metavar="HEX", callback=_prefix, help="Prefixes that begin so. Default: all.")
@click.option("--padding", is_flag=True, help="Rows of count 0 among the others: all files are of one length.")
@options.data
@options.lang
def export_ranges(folder: Path, data: Path | None, **settings: Any) -> int:
    """Write a file for each prefix, and the same packed (not with --padding), for any web server: 1,048,576 of each.

    What is there and has not changed is left alone. Run again, it goes on where it was ended.

    \b
    Example:
      khien breach export ranges /srv/khien/sha1/range
    """
    from khien.cli import breach_passwords

    return breach_passwords.ranges(folder, data=data, **settings)


@export.command("keepassxc")
@click.argument("path", metavar="FILE")
@options.data
@options.lang
def export_keepassxc(path: str, data: Path | None, language: str) -> int:
    """Write the file that KeePassXC looks through offline.

    \b
    Example:
      khien breach export keepassxc passwords.txt
      keepassxc-cli analyze --hibp passwords.txt vault.kdbx
    """
    from khien.cli import breach_passwords

    return breach_passwords.keepassxc(path, data, language)


@export.command("filter")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@_mode
@click.option("--bits", type=click.Choice(("8", "16")), default="8", help="Of a fingerprint. Default: 8.")
@options.data
@options.lang
def export_filter(path: Path, bits: str, data: Path | None, **settings: Any) -> int:
    """Write a filter for use offline: a binary fuse filter, which never misses what leaked.

    Of what never leaked it says once in 256 times that it did, with 16 bits once in 65,536 times.

    \b
    Example:
      khien breach export filter passwords.filter --bits 16
    """
    from khien.cli import breach_passwords

    return breach_passwords.filtered(path, bits=16 if bits == "16" else 8, data=data, **settings)


@breach.command("check-offline")
@click.argument("path", metavar="FILTER", type=click.Path(path_type=Path))
@options.lang
def breach_check_offline(path: Path, language: str) -> int:
    """Ask for a password, unseen, and look whether a filter has it.

    \b
    Example:
      khien breach check-offline passwords.filter
    """
    from khien.cli import breach_passwords

    return breach_passwords.check(path, language)


_keys = click.option(
    "--keys", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Of the site's keys: written at first, later held to.",
)  # fmt: skip


@breach.command("match")
@click.argument("roster", metavar="ROSTER", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--url", required=True, metavar="URL", callback=options.text, help="The site that is asked.")
@click.option(
    "--token-file", type=click.Path(path_type=Path), metavar="FILE", help="Of the token that the site gave you."
)
@click.option(
    "--holder-token", "holders", nargs=2, multiple=True, type=(str, click.Path(path_type=Path)), metavar="URL FILE",
    help="Of the token that who holds the other share of the key gave you.",
)  # fmt: skip
@click.option(
    "--column", default="email", metavar="NAME", callback=options.text, help="Addresses or numbers. Default: email."
)
@click.option(
    "--with-column", metavar="NAME", callback=options.text, help="Write this column beside what is found, too."
)
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@_keys
@options.lang
def breach_match(roster: Path, url: str, column: str, with_column: str | None, out: Path, **settings: Any) -> int:
    """Find out which rows of your own list of people (CSV) are in what leaked, and in which collections.

    Each address is blinded before it leaves, so that the site learns none of them, nor which are met. What is written
    says whose accounts leaked: it is for its owner alone. Killed, the same command goes on where it was. Sensitive
    collections are never told.

    \b
    Examples:
      khien breach match roster.csv --url https://csirt.example --keys keys.json --token-file token -o leaked.csv
      khien breach match roster.csv --url https://csirt.example --column phone --with-column id -o leaked.csv
    """
    from khien.cli import breach_owners

    wanted = breach_owners.Wanted(roster, column, with_column, out)
    return breach_owners.match(wanted, url, **settings)


@breach.command("token")
@click.argument("id", metavar="CONSTITUENT", callback=options.text)
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@options.by
@options.data
@options.lang
def breach_token(id: str, data: Path | None, out: Path, **settings: Any) -> int:
    """Write the token with which a constituent matches its own list of people, however long that is.

    \b
    Example:
      khien breach token saothuy -o saothuy.token
    """
    from khien.cli import breach_owners

    return breach_owners.token(id, data, out, **settings)


@breach.command("remove")
@options.why
@options.by
@options.data
@options.lang
def breach_remove(data: Path | None, by: str | None, why: str, language: str) -> int:
    """Take an account out of what is known to have leaked, for who asked in person and has shown that it is theirs.

    The address or number is typed unseen, or is a line of standard input; it is not kept. No import brings it back.

    \b
    Example:
      khien breach remove --why "asked at the desk, showed the mailbox" --by lan
    """
    from khien.cli import breach_owners

    return breach_owners.remove(data, by, why, language)


@breach.command("check")
@click.option(
    "--url", metavar="URL", callback=options.text, help="Ask this site, which is told nothing. Default: here."
)
@click.option("--password", is_flag=True, help="Ask about a password, not an address or a number.")
@click.option("--stdin", is_flag=True, help="Read from standard input, one a line, without asking.")
@_keys
@options.data
@options.lang
def breach_check(data: Path | None, url: str | None, language: str, **settings: Any) -> int:
    """Ask for an address, a number or a password, unseen, and look whether it leaked.

    \b
    Examples:
      khien breach check
      khien breach check --url https://csirt.example --password
    """
    from khien.cli import breach_accounts

    return breach_accounts.check(data, url, language=language, **settings)


@breach.command("rotate")
@options.by
@options.data
@options.lang
def breach_rotate(data: Path | None, by: str | None, language: str) -> int:
    """Begin a new key for accounts that are taken in from now on.

    What was kept under the old one is found until it is deleted; a key under which nothing is kept is given up.

    \b
    Example:
      khien breach rotate --by lan
    """
    from khien.cli import breach_accounts

    return breach_accounts.rotate(data, by, language)


@breach.command("share")
@click.argument("name", metavar="NAME", callback=options.text)
@click.option("--url", required=True, metavar="URL", callback=options.text, help="Where this house will answer.")
@click.option("--epoch", type=click.IntRange(1, 65_535), required=True, metavar="N", help="Of the key, at both houses.")
@click.option("-o", "out", required=True, type=click.Path(path_type=Path), help="File for the token of that house.")
@options.by
@options.data
@options.lang
def breach_share(name: str, data: Path | None, by: str | None, **settings: Any) -> int:
    """Make this house's share of a key, and print what the house NAME adds to its khien.toml.

    The key is the sum of both houses' shares; neither ever sees the other's, and neither alone finds an account.

    \b
    Example:
      khien breach share csirt --url https://holder.example --epoch 2 -o csirt.token
    """
    from khien.cli import breach_accounts

    return breach_accounts.share(name, data, by=by, **settings)


@breach.command("hold")
@click.option("--listen", metavar="HOST:PORT", callback=options.text, help="Default: that of the site in khien.toml.")
@options.data
@options.lang
def breach_hold(data: Path | None, listen: str | None, language: str) -> int:
    """Answer for this house's share of a key, and nothing else, until told to stop.

    \b
    Example:
      khien breach hold --listen 127.0.0.1:8461
    """
    from khien.cli import breach_accounts

    return breach_accounts.hold(data, listen, language)
