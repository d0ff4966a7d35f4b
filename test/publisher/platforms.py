#!/usr/bin/env python3
"""Stand-ins for the platforms: Bluesky's PDS, a Mastodon server and webhook receivers, with what the publisher asks of them.

platforms.py PORT [KEY_LIFE]: serves until it is ended. GET /_posts lists what was published, as often as it was:
[{"platform", "text", "key"}]. POST /_tokens {"expire": true} makes all Bluesky sessions run out. POST /_counters {id: {likes,
comments, shares}} says what a post is counted (Bluesky by at:// URI, Mastodon by id), {id: null} deletes it, {id: "unseen"}
hides it from the AppView only; GET /_counted lists the ids of each question for counters.
"""
import hashlib
import hmac
import json
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOCK = threading.Lock()
POSTS = []          # what a reader of the platform sees, in order
RECORDS = {}        # Bluesky: (repo, rkey) -> record
SESSIONS = {"access": set(), "refresh": set(), "made": 0, "created": 0}
STATUSES = []       # Mastodon: newest last
KEYS = {}           # Mastodon: idempotency key -> (time, status)
MEDIA = {}
HOOKS = {}          # webhook: key -> answer
COUNTERS = {}       # id -> {likes, comments, shares}, None: deleted, "unseen": not in the AppView
COUNTED = []        # the ids of each question for counters
KEY_LIFE = float(sys.argv[2]) if len(sys.argv) > 2 else 3600.0
MASTODON_TOKEN, HOOK_SECRET, PASSWORD = "masto-token", "hook-secret", "app-password"
PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010806000000"
                    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082")


def jwt(seconds):
    import base64
    part = lambda o: base64.urlsafe_b64encode(json.dumps(o).encode()).rstrip(b"=").decode()
    SESSIONS["made"] += 1
    return ".".join([part({"alg": "none"}), part({"exp": int(time.time() + seconds), "n": SESSIONS["made"]}), "x"])


def cid(record):
    return "bafy" + hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:40]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=None, headers=(), raw=None):
        data = raw if raw is not None else json.dumps(body if body is not None else {}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", "application/json" if raw is None else "image/png")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        if len(self.body) < length:
            self.close_connection = True
            return
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        path = url.path
        with LOCK:
            if path == "/_posts":
                self.answer(200, POSTS)
            elif path == "/_statuses":
                self.answer(200, STATUSES)
            elif path == "/_records":
                self.answer(200, [r for r in RECORDS.values()])
            elif path == "/_sessions":
                self.answer(200, {"created": SESSIONS["created"], "made": SESSIONS["made"]})
            elif path == "/_tokens":
                SESSIONS["access"].clear()
                if json.loads(self.body or b"{}").get("refresh"):
                    SESSIONS["refresh"].clear()
                self.answer(200)
            elif path == "/_counters":
                COUNTERS.update(json.loads(self.body))
                for deleted in [k for k, r in RECORDS.items() if COUNTERS.get(r["uri"], 0) is None]:
                    del RECORDS[deleted]
                self.answer(200)
            elif path == "/_counted":
                self.answer(200, COUNTED)
            elif path == "/media.png":
                self.answer(200, raw=PNG)
            elif path.startswith("/xrpc/"):
                self.xrpc(path[6:])
            elif path.startswith("/api/"):
                self.mastodon(path)
            elif path.startswith("/hook/"):
                self.hook(path)
            else:
                self.answer(404, {"error": "no such place"})

    do_GET = do_POST = do_DELETE = handle_any

    # --- Bluesky
    def xrpc(self, name):
        bearer = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if name in ("com.atproto.server.createSession", "com.atproto.server.refreshSession"):
            if name.endswith("createSession"):
                asked = json.loads(self.body)
                if asked.get("password") != PASSWORD:
                    return self.answer(401, {"error": "AuthenticationRequired", "message": "Invalid identifier or password"})
                SESSIONS["created"] += 1
            elif bearer not in SESSIONS["refresh"]:
                return self.answer(400, {"error": "ExpiredToken", "message": "Token has been revoked"})
            access, refresh = jwt(7200), jwt(7200000)
            SESSIONS["access"].add(access)
            SESSIONS["refresh"].add(refresh)
            return self.answer(200, {"accessJwt": access, "refreshJwt": refresh, "did": "did:plc:one", "handle": "one.test"})
        if name == "com.atproto.identity.resolveHandle":
            if self.query.get("handle") == "two.test":
                return self.answer(200, {"did": "did:plc:two"})
            return self.answer(400, {"error": "InvalidRequest", "message": "Unable to resolve handle"})
        if name == "com.atproto.repo.getRecord":
            record = RECORDS.get((self.query.get("repo"), self.query.get("rkey")))
            if record is None:
                return self.answer(400, {"error": "RecordNotFound", "message": "Could not locate record"})
            return self.answer(200, record)
        if bearer not in SESSIONS["access"]:
            return self.answer(400, {"error": "ExpiredToken", "message": "Token has expired"})
        if name == "app.bsky.feed.getPosts":
            uris = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("uris", [])
            COUNTED.append(uris)
            if len(uris) > 25 or any(not u.startswith("at://") for u in uris):
                return self.answer(400, {"error": "InvalidRequest", "message": "Error: Params must have valid uris"})
            known = {r["uri"] for r in RECORDS.values()}
            views = []
            for uri in uris:
                count = COUNTERS.get(uri, {})
                if uri in known and count != "unseen":
                    views.append({"uri": uri, "likeCount": count.get("likes", 0), "replyCount": count.get("comments", 0),
                                  "repostCount": count.get("shares", 0), "quoteCount": 1 if count else 0, "bookmarkCount": 0})
            return self.answer(200, {"posts": views})
        if name == "com.atproto.repo.uploadBlob":
            blob = {"$type": "blob", "mimeType": self.headers["Content-Type"], "size": len(self.body),
                    "ref": {"$link": hashlib.sha256(self.body).hexdigest()}}
            return self.answer(200, {"blob": blob})
        if name == "com.atproto.repo.putRecord":
            asked = json.loads(self.body)
            record = asked["record"]
            if len(record["text"]) > 300:
                return self.answer(400, {"error": "InvalidRequest", "message": "Record/text must not be longer than 300 graphemes"})
            key = (asked["repo"], asked["rkey"])
            uri = f"at://{asked['repo']}/{asked['collection']}/{asked['rkey']}"
            if key not in RECORDS:
                POSTS.append({"platform": "bluesky", "text": record["text"], "key": asked["rkey"]})
            RECORDS[key] = {"uri": uri, "cid": cid(record), "value": record}
            return self.answer(200, {"uri": uri, "cid": cid(record)})
        return self.answer(404, {"error": "MethodNotImplemented"})

    # --- Mastodon
    def mastodon(self, path):
        if self.headers.get("Authorization") != "Bearer " + MASTODON_TOKEN:
            return self.answer(401, {"error": "The access token is invalid"})
        if path == "/api/v1/accounts/verify_credentials":
            return self.answer(200, {"id": "7", "acct": "ann"})
        if path == "/api/v2/media":
            number = str(len(MEDIA) + 1)
            MEDIA[number] = 2
            return self.answer(202, {"id": number, "url": None})
        if path.startswith("/api/v1/media/"):
            number = path.rsplit("/", 1)[1]
            MEDIA[number] -= 1
            return self.answer(206 if MEDIA[number] > 0 else 200, {"id": number})
        if path == "/api/v1/statuses" and self.command == "POST":
            key, asked = self.headers.get("Idempotency-Key"), json.loads(self.body)
            known = KEYS.get(key)
            if known and time.time() - known[0] < KEY_LIFE:
                return self.answer(200, known[1])
            if "beyond the limit" in asked["status"]:
                return self.answer(422, {"error": "Validation failed: Text character limit of 500 exceeded"})
            if any(m not in MEDIA for m in asked.get("media_ids", [])):
                return self.answer(422, {"error": "Cannot attach files"})
            number = str(1000 + len(STATUSES))
            status = {"id": number, "url": f"http://masto.test/@ann/{number}", "content": "<p>" + asked["status"] + "</p>",
                      "created_at": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()), "text": asked["status"],
                      "in_reply_to_id": asked.get("in_reply_to_id"), "media": asked.get("media_ids", [])}
            STATUSES.append(status)
            KEYS[key] = (time.time(), status)
            POSTS.append({"platform": "mastodon", "text": asked["status"], "key": key})
            return self.answer(200, status)
        if path.startswith("/api/v1/statuses/") and path.count("/") == 4 and self.command == "GET":
            number = path.rsplit("/", 1)[1]
            COUNTED.append([number])
            count = COUNTERS.get(number, {})
            for status in STATUSES:
                if status["id"] == number and count is not None:
                    return self.answer(200, {**status, "favourites_count": count.get("likes", 0), "replies_count": count.get("comments", 0),
                                             "reblogs_count": count.get("shares", 0)})
            return self.answer(404, {"error": "Record not found"})
        if path.endswith("/source"):
            for status in STATUSES:
                if status["id"] == path.split("/")[4]:
                    return self.answer(200, {"id": status["id"], "text": status["text"]})
            return self.answer(404, {"error": "Record not found"})
        if path == "/api/v1/accounts/7/statuses":
            before = int(self.query.get("max_id", 10**9))
            found = [s for s in reversed(STATUSES) if int(s["id"]) < before][: int(self.query.get("limit", 20))]
            return self.answer(200, [{k: v for k, v in s.items() if k != "text"} for s in found])
        return self.answer(404, {"error": "Record not found"})

    # --- webhooks: /hook/plain knows nothing, /hook/keys its keys, /hook/STATUS answers that
    def hook(self, path):
        kind = path.split("/")[2]
        key = self.headers.get("Idempotency-Key")
        stamp, _, code = (self.headers.get("X-Signature") or "").removeprefix("t=").partition(",v1=")
        wanted = hmac.new(HOOK_SECRET.encode(), stamp.encode() + b"." + self.body, hashlib.sha256).hexdigest()
        if not stamp.isdigit() or abs(time.time() - int(stamp)) > 300 or not hmac.compare_digest(wanted, code):
            return self.answer(401, {"message": "bad signature"})
        if self.command == "GET":
            return self.answer(200, HOOKS[self.query["idempotency_key"]]) if self.query.get("idempotency_key") in HOOKS else self.answer(404)
        if kind.isdigit():
            headers = [("Retry-After", "1")] if kind == "429" else [("Location", "/hook/plain")] if kind == "302" else []
            return self.answer(int(kind), {"message": "as asked"}, headers)
        if kind == "large":
            return self.answer(200, raw=b"x" * (3 << 20))
        if kind == "keys" and key in HOOKS:
            return self.answer(409, HOOKS[key])
        asked = json.loads(self.body)
        POSTS.append({"platform": "hook/" + kind, "text": asked["post"]["caption"], "key": key})
        HOOKS[key] = {"id": f"hook-{len(POSTS)}", "url": f"http://hook.test/{len(POSTS)}"}
        return self.answer(201, HOOKS[key])


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
