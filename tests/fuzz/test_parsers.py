"""Every parser against random input: a value of the promised type, or its own error."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import zlib

import pytest

from airflow_provider_fabric.api.auth.claims import claims_of, expiry_of, is_json_web_token
from airflow_provider_fabric.api.auth.entra_errors import entra_error, refusal_in
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.error_detail import ErrorDetail, plain_body
from airflow_provider_fabric.api.http.body import BodyBrokenError, BodyReader, BodyTooLargeError
from airflow_provider_fabric.api.http.flow import Response
from airflow_provider_fabric.api.http.headers import http_date, parse_retry_after
from airflow_provider_fabric.api.http.redaction import redact_body
from airflow_provider_fabric.api.items.datasets import datasets_of
from airflow_provider_fabric.api.jobs.activities import ActivityProgress, failed_activities, summary
from airflow_provider_fabric.api.jobs.submission import read_submission
from airflow_provider_fabric.api.json_text import parse_json
from airflow_provider_fabric.api.models import JobInstance, is_guid, parse_time
from airflow_provider_fabric.api.plain_text import one_line
from airflow_provider_fabric.exceptions import FabricAmbiguousError, FabricProtocolError
from tests.flow_driver import ITEM
from tests.fuzz import CASES, SHARDS, answers, case, numbers

SETTINGS = FabricSettings("c", secret="the-client-secret")


def read_errors(rng: random.Random) -> None:
    detail = ErrorDetail.from_wire(answers.junk(rng))
    if detail is not None:
        assert str(detail).isprintable()
        assert ErrorDetail.from_wire(json.loads(json.dumps(detail.to_dict()))) is not None or not detail.to_dict()
    assert plain_body(rng.randbytes(50)).isprintable()


def read_activities(rng: random.Random) -> None:
    runs = [content for _ in range(3) if isinstance(content := answers.content(rng), dict)]
    assert summary(failed_activities(runs)).isprintable()
    assert all(line.isprintable() for line in ActivityProgress().changes(runs))


def read_instances(rng: random.Random) -> None:
    content = answers.content(rng)
    try:
        run = JobInstance.from_wire(content if isinstance(content, dict) else {})
    except FabricProtocolError:
        return
    assert run.status_text.isprintable()


def read_submissions(rng: random.Random) -> None:
    with contextlib.suppress(FabricAmbiguousError):
        found = read_submission(Response(202, answers.headers(rng), answers.body(rng)), "start", ITEM)
        assert is_guid(found.job_instance_id)


def read_headers(rng: random.Random) -> None:
    value = rng.choice((rng.choice(answers.WAITS), rng.randbytes(20).decode("latin-1"), "9" * rng.randrange(5000)))
    seconds = parse_retry_after(value, rng.choice(answers.WAITS))
    assert seconds is None or 0 <= seconds <= 600
    assert isinstance(http_date(value), float | None)
    assert parse_time(rng.choice((*answers.TIMES, value))) is None or True


def read_tokens(rng: random.Random) -> None:
    text = ".".join(rng.randbytes(rng.randrange(30)).hex() for _ in range(rng.randrange(5)))
    assert isinstance(claims_of(text), dict)
    assert isinstance(expiry_of(text), float | None)
    assert is_json_web_token(text) in (True, False)
    answer = refusal_in(answers.body(rng))
    assert str(entra_error(SETTINGS, answer, rng.choice((None, 200, 302, 400, 503)))).isprintable()


def read_json(rng: random.Random) -> None:
    try:
        json.dumps(parse_json(answers.body(rng)), ensure_ascii=False).encode()
    except ValueError:
        return


def read_bodies(rng: random.Random) -> None:
    text = rng.choice((b"", b"{}", json.dumps(answers.content(rng)).encode(), bytes(rng.randrange(300_000))))
    raw = zlib.compressobj(wbits=-15)
    forms = {
        "": text,
        "gzip": gzip.compress(text) if rng.random() < 0.8 else gzip.compress(text[:9]) + gzip.compress(text[9:]),
        "deflate": zlib.compress(text) if rng.random() < 0.5 else raw.compress(text) + raw.flush(),
    }
    coding = rng.choice(list(forms))
    sent = forms[coding]
    is_whole = rng.random() < 0.6
    if not is_whole:
        at = rng.randrange(len(sent) + 1)
        sent = rng.choice((sent[:at], sent[:at] + rng.randbytes(3) + sent[at:], rng.randbytes(at % 500)))
    limit = rng.choice((16 << 20, 1 << 20, 1000))
    reader = BodyReader(coding, limit)
    try:
        while sent:
            size = rng.choice((1, 2, 7, 1000, 65536))
            reader.feed(sent[:size])
            sent = sent[size:]
        body = reader.finish()
    except BodyTooLargeError:
        assert not is_whole or max(len(text), len(forms[coding])) > limit
    except BodyBrokenError:
        assert not is_whole
    else:
        assert len(body) <= limit
        assert body == text or not is_whole


def read_texts(rng: random.Random) -> None:
    text = "".join(chr(rng.randrange(0x3000)) for _ in range(rng.randrange(60))) + rng.choice(answers.WORDS)
    limit = rng.choice((1, 10, 50, 500))
    line = one_line(text, limit)
    assert line.isprintable()
    assert len(line) <= limit
    token = rng.choice(("eyJhbGciOiJub25lIn0.eyJzdWIiOiJyYXcifQ.c2ln", "opaque/token+with=0123"))
    echoed = rng.randbytes(9) + json.dumps({"a": f"{text}{token}"}).encode()
    assert token.encode() not in redact_body(echoed, token)


def read_definitions(rng: random.Random) -> None:
    part = rng.choice(("pipeline-content.json", "copyjob-content.json"))
    with contextlib.suppress(ValueError):  # no JSON
        datasets_of(rng.choice(("DataPipeline", "CopyJob", None)), {part: answers.body(rng)})


PARSERS = [read_errors, read_activities, read_instances, read_submissions, read_headers, read_tokens, read_json,
           read_bodies, read_texts, read_definitions]  # fmt: skip


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_parser_ends_well(shard: int) -> None:
    for number in numbers(shard, CASES // 4):
        parser = PARSERS[number % len(PARSERS)]
        try:
            parser(case("parser", number))
        except Exception as error:
            raise AssertionError(f"parser case {number} ({parser.__name__}): {error!r}") from error
