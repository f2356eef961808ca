"""The API's own description: valid OpenAPI 3.1, and true of what the server answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.journeys.platform import Json, Server, Tenant

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# Requests for each operation and mode; the whole takes about twenty seconds.
EXAMPLES = 25
OPERATIONS_MINIMUM = 13
# What is answered to somebody without a token.
OPEN = {"getHealth", "describeProblem"}

pytestmark = pytest.mark.parametrize("server", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def document(server: Server) -> Json:
    answer = server.api.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    return answer.good()


@pytest.fixture(scope="module")
def schema(document: Json) -> BaseSchema:
    return schemathesis.openapi.from_dict(document)


@pytest.fixture(scope="module")
def tenant(server: Server) -> Tenant:
    return server.open_tenant("Described")


@pytest.fixture
def session(tenant: Tenant) -> Iterator[requests.Session]:
    with requests.Session() as session:
        # The environment may name other anchors.
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {tenant.caller.token}"
        yield session


def test_the_description_is_valid_openapi(document: Json, schema: BaseSchema) -> None:
    assert document["openapi"] == "3.1.0"
    schema.validate()
    components = document["components"]["schemas"]
    assert len(components) > 15
    for component in components.values():
        jsonschema_rs.meta.validate(
            {"$schema": "https://json-schema.org/draft/2020-12/schema", **component}
        )


def test_every_operation_has_a_name_of_its_own_and_says_what_it_refuses(document: Json) -> None:
    operations = [each for item in document["paths"].values() for each in item.values()]
    assert len(operations) >= OPERATIONS_MINIMUM
    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names)
    for each in operations:
        assert each["summary"]
        if each["operationId"] in OPEN:
            assert (each["security"], each["description"]) == ([], "No token is needed.")
            continue
        assert {"400", "401", "403", "404"} <= set(each["responses"])
        assert "The token needs the action" in each["description"]
    assert set(names) >= OPEN
    for each in operations:
        for status, response in each["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"]


def parameters_of(document: Json, name: str) -> dict[str, Json]:
    """The schemas of an operation's parameters."""
    operations = [each for item in document["paths"].values() for each in item.values()]
    (found,) = (each for each in operations if each["operationId"] == name)
    return {each["name"]: each["schema"] for each in found["parameters"]}


def test_parameters_have_their_types_bounds_and_patterns(
    document: Json, server: Server, tenant: Tenant
) -> None:
    certificates = parameters_of(document, "listCertificates")
    assert certificates["limit"] == {
        "type": "integer", "minimum": 1, "maximum": 200, "default": 50
    }  # fmt: skip
    events = parameters_of(document, "listEvents")
    assert (events["after"]["type"], events["after"]["minimum"]) == ("integer", 0)
    issuer = tenant.caller.get("/v1/issuers").good()["items"][0]["id"]
    listed = tenant.caller.get("/v1/certificates").good()["items"]
    certificate, serial = listed[0]["id"], listed[0]["serial"]
    for schema, right, wrong in (
        (certificates["issuer"], issuer, "iss_1"),
        (certificates["after"], "k8Q_-9", "a b"),
        (certificates["state"], "valid", "good"),
        (certificates["serial"], serial, "0x01"),
        (certificates["serial"], "01:ab:cd", "01::ab"),
        (parameters_of(document, "getCertificate")["certificate"], certificate, serial),
        (parameters_of(document, "createTenantToken")["tenant"], tenant.id, "ten_"),
        (parameters_of(document, "createTenantToken")["tenant"], "ten_platform", "platform"),
    ):
        assert jsonschema_rs.is_valid(schema, right)
        assert not jsonschema_rs.is_valid(schema, wrong)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_answers_to_made_up_requests_are_as_described(
    server: Server, schema: BaseSchema, session: requests.Session, mode: GenerationMode
) -> None:
    statuses: Counter[int] = Counter()
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        if operation.path == "/health" and mode is GenerationMode.NEGATIVE:
            continue  # It takes nothing that could be wrong.
        statuses += _try(operation, mode, server, session)
    assert statuses.total() > 10 * OPERATIONS_MINIMUM
    wanted = {400, 403, 404}
    assert set(statuses) >= (wanted | {200, 201} if mode is GenerationMode.POSITIVE else wanted)


def _try(
    operation: APIOperation[Any, Any, Any, Any],
    mode: GenerationMode,
    server: Server,
    session: requests.Session,
) -> Counter[int]:
    """Send what hypothesis makes up for an operation; how often each status was answered."""
    statuses: Counter[int] = Counter()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: schemathesis.Case[Any]) -> None:
        response = case.call(
            base_url=server.context["api"], session=session, verify=server.context["tls_ca"]
        )
        statuses[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    send()
    return statuses
