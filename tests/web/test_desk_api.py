"""The desk for programs keeps what it says of itself, whatever is sent to it."""

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis import GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from khien import officers
from khien.app import machine
from khien.detectors.lookalike import Lookalike
from khien.web import site as assembly
from tests.web import filled
from tests.web.conftest import HOST, KEY
from tests.web.filled import secret
from tests.web.test_hostile import DESK

HEADERS = {"Host": HOST, "Authorization": f"Bearer {officers.TOKEN}{secret('administrator')}"}


@pytest.fixture(scope="module")
def described(
    tmp_path_factory: pytest.TempPathFactory, detector: Lookalike, labels: dict[str, str]
) -> Iterator[dict[str, APIOperation[Any, Any, Any, Any]]]:
    place = tmp_path_factory.mktemp("desk") / "data"
    with machine.store(place) as store:
        filled.fill(store)
        site = assembly.create(store, detector, labels, [HOST], audit=machine.audit(place), key=KEY)
        schema = schemathesis.openapi.from_asgi("/api/openapi.json", site, headers={"Host": HOST})
        yield {result.ok().label: result.ok() for result in schema.get_all_operations()}


@pytest.mark.parametrize("label", DESK)
def test_the_described_interface_holds(described: dict[str, APIOperation[Any, Any, Any, Any]], label: str) -> None:
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE) if "POST" in label else (GenerationMode.POSITIVE,)
    operation = described[label]
    left_out = [positive_data_acceptance, ignored_auth]  # an id may be nobody's; the description names no doors
    for mode in modes:

        @hypothesis.settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def holds(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=HEADERS, excluded_checks=left_out)

        holds()
