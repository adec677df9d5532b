"""Ticket systems: the few calls of Jira, GitLab and GitHub that give an issue's title."""

from __future__ import annotations

import re
import time
from typing import Any

from .access import Access
from .contract import Contract
from .wire import Answer, Request


class Tickets:
    """`titles` by key (`IA-1742`) or number (`17`); all three systems answer on one server."""

    answers_alone = False

    def __init__(
        self, titles: dict[str, str] | None = None, *, access: Access | None = None
    ) -> None:
        self.titles = dict(titles or {})
        self.access = access or Access()
        self.contract: Contract | None = None
        self.page_limit: int | None = None
        # How long each answer takes: a system that hangs has a large one.
        self.seconds = 0.0

    def answer(self, request: Request) -> Answer:
        time.sleep(self.seconds)
        for pattern, show in _SYSTEMS:
            found = pattern.fullmatch(request.path)
            if found and request.method == "GET":
                key = found.groups()[-1]
                title = self.titles.get(key)
                return Answer(200, show(key, title)) if title is not None else self.failure(404, "")
        return self.failure(404, "")

    def unauthorized(self) -> Answer:
        return self.failure(401, "Unauthorized")

    def failure(self, http: int, message: str) -> Answer:
        return Answer(http, {"message": message or "Not Found", "errorMessages": [message]})


def _jira(key: str, title: str) -> dict[str, Any]:
    return {"id": "10002", "key": key, "fields": {"summary": title}}


def _gitlab(key: str, title: str) -> dict[str, Any]:
    return {"id": 1, "iid": int(key), "title": title, "state": "opened"}


def _github(key: str, title: str) -> dict[str, Any]:
    return {"number": int(key), "title": title, "state": "open"}


_SYSTEMS = (
    (re.compile(r"/rest/api/[23]/issue/([^/]+)"), _jira),
    (re.compile(r"/api/v4/projects/(.+)/issues/(\d+)"), _gitlab),
    (re.compile(r"(?:/api/v3)?/repos/([^/]+/[^/]+)/issues/(\d+)"), _github),
)
