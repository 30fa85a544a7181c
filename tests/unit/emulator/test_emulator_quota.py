"""Quotas: 200 accepted calls in any minute, per identity and bucket."""

from __future__ import annotations

from .conftest import Service, error_of


def test_a_full_minute_throttles_and_says_how_long(service: Service) -> None:
    service.control("POST", "config", {"quotas": {"platform": 3}})
    for _ in range(3):
        assert service.get("/items").status_code == 200
        service.clock.advance(10)
    answer = service.get("/items")
    assert error_of(answer) == (429, "RequestBlocked")
    assert answer.json()["isRetriable"] is True
    assert "status" not in answer.json()
    assert answer.headers["retry-after"] == "30"
    service.clock.advance(30)
    assert service.get("/items").status_code == 200
    assert service.get("/items").status_code == 429, "the window slides; it does not start anew"
    stats = service.control("GET", "stats")
    assert (stats["throttled"], stats["peak_calls_per_minute"]["platform"]) == (2, 5)


def test_buckets_and_identities_are_apart(service: Service) -> None:
    item_id = service.create()
    service.control("POST", "config", {"quotas": {"platform": 1}})
    assert service.get("/items").status_code == 200, "calls before the limit was set do not fill the window"
    assert service.get("/items").status_code == 429
    assert service.get(f"/items/{item_id}/jobs/instances").status_code == 200
    service.sign_in(service.world.tenant.user_id)
    assert service.get("/items").status_code == 200


def test_a_scaled_minute(service: Service) -> None:
    service.control("POST", "config", {"quotas": {"platform": 1}, "time_scale": 10})
    service.get("/items")
    answer = service.get("/items")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "6")
    service.clock.advance(6)
    assert service.get("/items").status_code == 200


def test_calls_without_a_token_fill_nothing(service: Service) -> None:
    service.control("POST", "config", {"quotas": {"platform": 1}})
    for _ in range(3):
        assert service.get("/items", headers={"Authorization": "Bearer x"}).status_code == 401
    assert service.get("/items").status_code == 200
