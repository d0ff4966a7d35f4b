#!/usr/bin/env python3
"""A proxy in front of a platform that does to requests what networks and overloaded servers do.

fault_proxy.py PORT UPSTREAM_PORT: forwards HTTP to 127.0.0.1:UPSTREAM_PORT. PUT /_fault sets what happens to the requests
that match: {"match": "POST /hook", "fault": F, "count": N, "rate": R}; DELETE /_fault lifts all; GET /_fault says how
often each fault was done. Faults:
  refuse        the connection is closed before anything is forwarded
  cut           stored by the platform, then closed without an answer
  error_after   stored, then answered 500
  slow          stored, answered after `seconds`
  limited       not forwarded, 429 with Retry-After: 1
  hold_before   held, not forwarded, until `release`; then closed
  hold_after    stored, the answer held until `release`
"""
import http.client
import json
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOCK = threading.Lock()
FAULTS = []
DONE = {}
RELEASE = threading.Event()
UPSTREAM = int(sys.argv[2])
RANDOM = random.Random(11)


def pick(line):
    with LOCK:
        for fault in FAULTS:
            if line.startswith(fault["match"]) and fault.get("count", 1) > 0 and RANDOM.random() < fault.get("rate", 1):
                fault["count"] = fault.get("count", 1) - 1
                DONE[fault["fault"]] = DONE.get(fault["fault"], 0) + 1
                return dict(fault)
    return {"fault": ""}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def control(self, body):
        with LOCK:
            if self.command == "PUT":
                FAULTS.append(json.loads(body))
                RELEASE.clear()
            elif self.command == "DELETE":
                FAULTS.clear()
                RELEASE.set()
        self.answer(200, json.dumps(DONE).encode())

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.close_connection = True
        if len(body) < length:
            return
        if self.path == "/_fault":
            return self.control(body)
        fault = pick(f"{self.command} {self.path}")
        name = fault["fault"]
        if name == "refuse":
            return
        if name == "limited":
            return self.answer(429, b'{"error": "Too many requests"}', [("Retry-After", "1")])
        if name == "hold_before":
            RELEASE.wait(60)
            return
        upstream = http.client.HTTPConnection("127.0.0.1", UPSTREAM, timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection", "content-length")}
        upstream.request(self.command, self.path, body or None, headers)
        response = upstream.getresponse()
        data = response.read()
        if name == "cut":
            return
        if name == "error_after":
            return self.answer(500, b'{"error": "out of luck"}')
        if name == "slow":
            time.sleep(fault.get("seconds", 2))
        if name == "hold_after":
            RELEASE.wait(60)
        kept = [(k, v) for k, v in response.getheaders() if k.lower() in ("content-type", "retry-after", "location")]
        self.answer(response.status, data, kept)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any

    def finish(self):
        try:
            super().finish()
        except OSError:
            pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):  # the publisher is killed in the middle of requests here
        pass


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
