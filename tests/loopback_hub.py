"""A hub on this machine: the routes and headers that huggingface_hub uses to read a repository, and a list of requests."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "df1b051c49625cf57a3d0d8d3863ed4d13564fe4"
LARGE = re.compile(r"\.(safetensors|bin)$")


@dataclass
class Request:
    method: str
    path: str
    range: str | None
    sent: int = 0
    """Bytes of the answer's body."""


@dataclass
class Hub:
    """What is published: folders by owner/name, and what is wrong with some of them."""

    repositories: dict[str, Path] = field(default_factory=dict)
    trouble: dict[str, str] = field(default_factory=dict)
    """By owner/name: gated, forbidden, broken (500), slow (no answer at all), or html (no JSON where some is expected)."""
    requests: list[Request] = field(default_factory=list)
    endpoint: str = ""
    ended: threading.Event = field(default_factory=threading.Event)
    """Until then what is slow has no answer."""

    @property
    def ranged(self) -> list[Request]:
        """Requests for a part of a file that were answered with it, not with a redirection."""
        return [request for request in self.requests if request.range and request.sent]

    @property
    def sent(self) -> int:
        return sum(request.sent for request in self.requests)


def sha256_of(name: str) -> str:
    """A hash that only looks like one: the files have gigabytes of nothing."""
    return (name.encode().hex() + "0" * 64)[:64]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.posted = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the list of requests is kept instead."""

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.request_seen = Request(self.command, path, self.headers.get("Range"))
        self.hub.requests.append(self.request_seen)
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+?)(?:/(revision|paths-info|tree)/([^/]+)(?:/.*)?)?", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        stored = re.fullmatch(r"/stored/([^/]+/[^/]+)/(.+)", path)
        found = api or file or stored
        if found is None:
            return self._send(404)
        name = found[1]
        trouble = self.hub.trouble.get(name, "")
        if trouble == "slow":
            self.hub.ended.wait()
        if trouble == "broken":
            return self._send(500, b"something broke")
        if trouble == "html":
            return self._send(200, b"<html>log in to this network</html>", {"Content-Type": "text/html"})
        if trouble == "forbidden":
            return self._send(403, headers={"X-Error-Message": "not for you"})
        if name not in self.hub.repositories:
            return self._send(401, headers={"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        revision = (api and api[3]) or (file and file[2]) or "main"
        if revision not in ("main", COMMIT):
            return self._send(404, headers={"X-Error-Code": "RevisionNotFound"})
        if trouble == "gated" and not api:
            return self._send(403, headers={"X-Error-Code": "GatedRepo"})
        folder = self.hub.repositories[name]
        if api:
            return self._api(api[2], name, folder)
        path_here = folder / found[found.lastindex or 0]
        if not path_here.is_file():
            return self._send(404, headers={"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        if file and LARGE.search(file[3]):
            linked = {"X-Linked-Etag": f'"{sha256_of(name)}"', "X-Linked-Size": str(path_here.stat().st_size)}
            return self._send(
                302,
                headers={"Location": f"{self.hub.endpoint}/stored/{name}/{file[3]}", "X-Repo-Commit": COMMIT, **linked},
            )
        return self._file(path_here)

    def _api(self, kind: str | None, name: str, folder: Path) -> None:
        def described(path: Path) -> dict[str, Any]:
            large = {
                "lfs": {
                    "sha256": sha256_of(name),
                    "size": path.stat().st_size,
                    "pointerSize": 134,
                    "oid": sha256_of(name),
                }
            }
            blob = {
                "size": path.stat().st_size,
                "oid": COMMIT,
                "blobId": COMMIT,
                **(large if LARGE.search(path.name) else {}),
            }
            return {"type": "file", "path": path.name, "rfilename": path.name, **blob}

        files = [described(path) for path in sorted(folder.iterdir())]
        if kind == "paths-info":
            wanted = json.loads(self.posted)["paths"]
            return self._json([entry for entry in files if entry["path"] in wanted])
        if kind == "tree":
            return self._json(files)
        return self._json({"id": name, "modelId": name, "sha": COMMIT, "siblings": files, "tags": [], "private": False})

    def _file(self, path: Path) -> None:
        size, part = path.stat().st_size, re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        start, stop = (int(part[1]), min(int(part[2]) + 1, size)) if part else (0, size)
        with path.open("rb") as file:
            file.seek(start)
            body = file.read(stop - start)
        headers = {
            "ETag": f'"{hashlib.sha1(path.name.encode() + str(size).encode()).hexdigest()}"',
            "X-Repo-Commit": COMMIT,
            "Accept-Ranges": "bytes",
        }
        if part:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        self._send(206 if part else 200, body, headers)

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.request_seen.sent = len(body)
            self.wfile.write(body)


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Answer at `hub.endpoint` until the end of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
