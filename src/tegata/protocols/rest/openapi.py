"""The OpenAPI 3.1 document, made from the operations that are served."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tegata import __version__
from tegata.kernel.problem import ProblemCode
from tegata.protocols.rest.bodies import Health
from tegata.protocols.rest.operation import NoBody, Operation, id_schema
from tegata.protocols.rest.problems import MEDIA_TYPE, TABLE, ProblemBody

Json = dict[str, Any]

# What stands in a path. The platform's own tenants have names in place of characters.
_PATH_SCHEMAS: Mapping[str, Mapping[str, str | int]] = {
    "bulk": id_schema("blk"),
    "certificate": id_schema("crt"),
    "issuer": id_schema("iss"),
    "consent": id_schema("cns"),
    "purpose": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,63}$"},
    "record": id_schema("cfr"),
    "session": id_schema("ivs"),
    "user": id_schema("usr"),
    "tenant": {"type": "string", "pattern": "^ten_[0-9a-z]{1,26}$"},
    "token": id_schema("tok"),
}
_TEXT: Mapping[str, str | int] = {"type": "string", "minLength": 1}
_REFERENCE = "#/components/schemas/{name}"


def openapi_document(operations: Sequence[Operation[Any]], base_url: str) -> Json:
    """The document for these operations at one address."""
    bodies: set[type[msgspec.Struct]] = {ProblemBody, Health}
    bodies |= {each.body for each in operations if each.takes_body}
    bodies |= {each.answer for each in operations if each.answer is not None}
    ordered = sorted(bodies, key=lambda body: body.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_REFERENCE)
    references = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, Json] = {}
    for operation in operations:
        item = paths.setdefault(operation.path, {})
        item[operation.method.lower()] = _operation(operation, references)
    paths |= _open_paths(references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tegata",
            "version": __version__,
            "summary": "Managed PKI: certificates, their life and their status",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_url}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _open_paths(references: Mapping[type[msgspec.Struct], Any]) -> dict[str, Json]:
    """What is answered without a token; this document itself is where its reader found it."""
    health = {"application/json": {"schema": references[Health]}}
    code = {"type": "string", "enum": sorted(ProblemCode)}
    page: Json = _open("describeProblem", "Read about a problem", {"text/html": {}}, references)
    page["parameters"] = [{"name": "code", "in": "path", "required": True, "schema": code}]
    page["responses"]["404"] = _problem(404, references)
    return {
        "/health": {"get": _open("getHealth", "See that the service answers", health, references)},
        "/problems/{code}": {"get": page},
    }


def _open(
    name: str, summary: str, content: Json, references: Mapping[type[msgspec.Struct], Any]
) -> Json:
    return {
        "operationId": name,
        "summary": summary,
        "description": "No token is needed.",
        "security": [],
        "parameters": [],
        "responses": {
            "200": {"description": summary, "content": content},
            "503": _problem(503, references),
        },
    }


def _operation(operation: Operation[Any], references: Mapping[type[msgspec.Struct], Any]) -> Json:
    described: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"The token needs the action `{operation.action}`.",
        "parameters": _parameters(operation),
        "responses": _responses(operation, references),
    }
    if operation.body is not NoBody:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": references[operation.body]}},
        }
    if operation.streams:
        described["requestBody"] = {
            "required": True,
            "content": {media_type: {} for media_type in operation.streams},
        }
    return described


def _parameters(operation: Operation[Any]) -> list[Json]:
    parameters: list[Json] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _PATH_SCHEMAS.get(name, _TEXT),
        }
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]
    parameters += [
        {"name": each.name, "in": "query", "description": each.description, "schema": each.schema}
        for each in operation.query
    ]
    if operation.idempotent:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "a retry under the same key gets the first answer",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            }
        )
    return parameters


def _responses(operation: Operation[Any], references: Mapping[type[msgspec.Struct], Any]) -> Json:
    success: Json = {"description": operation.summary}
    if operation.answer is not None:
        success["content"] = {"application/json": {"schema": references[operation.answer]}}
        success["content"] |= {media_type: {} for media_type in operation.media_types}
    statuses = sorted({entry.status for entry in TABLE.values()})
    responses: Json = {str(operation.status): success}
    for status in statuses:
        responses[str(status)] = _problem(status, references)
    return responses


def _problem(status: int, references: Mapping[type[msgspec.Struct], Any]) -> Json:
    titles = [entry.title for entry in TABLE.values() if entry.status == status]
    content = {MEDIA_TYPE: {"schema": references[ProblemBody]}}
    return {"description": "; ".join(titles), "content": content}
