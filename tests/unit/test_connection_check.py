"""What the connection test says of each answer, without a socket."""

from __future__ import annotations

import json

import pytest

from airflow_provider_fabric.api.connection.fields import AuthType
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.flow import Response, TransportFailure
from airflow_provider_fabric.hooks.connection_check import check

FABRIC = "https://api.fabric.microsoft.com"


def said(*answers: Response | TransportFailure, audience: str = FABRIC, auth_type: AuthType = AuthType.CLIENT_SECRET):
    flow = check(FabricSettings("c", auth_type), audience)
    asked = [next(flow)]
    *first, last = answers
    asked += [flow.send(answer) for answer in first]
    with pytest.raises(StopIteration) as end:
        flow.send(last)
    return end.value.value, asked


def page(*names: str) -> Response:
    return Response(200, body=json.dumps({"value": [{"displayName": name} for name in names]}).encode())


@pytest.mark.parametrize(
    ("answer", "works", "words"),
    [
        (page("Sales"), True, "'Sales'."),
        (page("Sales", "Stock", "Staff"), True, "'Sales' and 2 more."),
        (page(), False, "sees no workspace"),
        (Response(200, body=b"<html>"), False, "check the field 'host'"),
        (Response(200, body=b"[]"), False, "check the field 'host'"),
        (Response(302), False, "redirect"),
        (Response(404, body=b"{}"), False, "Check the field 'host'"),
        (Response(403, body=b'{"errorCode": "Forbidden"}'), False, "Tenant settings"),
        (Response(500, body=b'{"errorCode": "Broken"}'), False, "Broken"),
        (TransportFailure("the proxy is away.", unsent=True), False, "cannot be reached: the proxy is away."),
    ],
)
def test_each_answer_has_its_sentence(answer, works, words):
    (found, text), _ = said(answer)
    assert found is works
    assert words in text


def test_a_token_that_was_revoked_is_replaced_before_anything_is_said():
    (works, _), asked = said(Response(401, body=b"{}"), page("Sales"))
    assert works
    assert [request.fresh_token for request in asked] == [False, True]


@pytest.mark.parametrize(
    ("audience", "auth_type", "words"),
    [
        ("https://graph.microsoft.com", AuthType.CLIENT_SECRET, "The token is for 'https://graph.microsoft.com'"),
        (FABRIC, AuthType.MANAGED_IDENTITY, "Service principals can call Fabric public APIs"),
        ("", AuthType.CLIENT_SECRET, "Service principals can call Fabric public APIs"),
        (FABRIC, AuthType.REFRESH_TOKEN, "delegated API permissions"),
    ],
)
def test_a_refusal_is_told_by_audience_and_kind_of_identity(audience, auth_type, words):
    refusal = Response(401, body=b'{"errorCode": "Unauthorized"}')
    (works, text), _ = said(refusal, refusal, audience=audience, auth_type=auth_type)
    assert not works
    assert words in text
