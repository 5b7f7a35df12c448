"""Commands about stolen accounts."""

import click


@click.group()
def breach() -> None:
    """Take in what leaked, answer who asks, and never know whom."""
