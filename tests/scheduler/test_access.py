"""Who may ask what over HTTP: tokens by their hashes, scopes, and how often."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from assay_scheduler.api.guards import MOST_REMEMBERED, RateLimit
from assay_scheduler.api.refusals import Refusal
from assay_scheduler.api.tokens import Asker, Tokens


def file_of(tmp_path: Path, content: dict[str, Any]) -> Path:
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps(content))
    return path


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def test_a_token_is_known_by_its_hash_and_has_its_scopes(tmp_path: Path) -> None:
    grants = {"alice": {"sha256": hashed("a"), "scopes": ["read"]}, "bob": "b", "eve": {"sha256": hashed("e")}}
    tokens = Tokens(file_of(tmp_path, grants))
    assert tokens.asker("Bearer a") == Asker("alice", frozenset({"read"}))
    assert tokens.asker("bearer b").scopes == tokens.asker("Bearer e").scopes == {"read", "submit"}
    for wrong in ("", "a", "Bearer ", "Bearer x", "Basic a", f"Bearer {hashed('a')}"):
        with pytest.raises(Refusal) as refused:
            tokens.asker(wrong)
        assert refused.value.status == 401


def test_every_token_is_compared_whichever_matches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens(file_of(tmp_path, {name: name for name in "abcd"}))
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: compared.append(one) or real(one, other))
    tokens.asker("Bearer a")
    assert len(compared) == 4


def test_what_belongs_to_others_is_for_admins_alone() -> None:
    alice = Asker("alice", frozenset({"read", "submit"}))
    alice.must_own("alice")
    for scope in ("admin",):
        with pytest.raises(Refusal):
            alice.needs(scope)
    with pytest.raises(Refusal) as refused:
        alice.must_own("alice", "bob")
    assert refused.value.status == 403
    Asker("root", frozenset({"admin"})).must_own("alice", "bob")
    Asker().must_own("alice")


def test_who_asks_too_often_waits_and_others_do_not() -> None:
    now = [0.0]
    limit = RateLimit(60, lambda: now[0])
    for _ in range(60):
        limit.take("alice")
    with pytest.raises(Refusal) as refused:
        limit.take("alice")
    assert refused.value.status == 429
    limit.take("bob")
    now[0] += 2.0
    limit.take("alice")


def test_those_who_asked_long_ago_are_forgotten() -> None:
    limit = RateLimit(60, lambda: 0.0)
    for number in range(MOST_REMEMBERED + 10):
        limit.take(str(number))
    assert len(limit._left) == MOST_REMEMBERED
