#!/usr/bin/env python3
"""A stand-in for an OpenAI-compatible provider. provider.py PORT

What it does with a request stands in the prompt, as words: `n=17` makes the usage 1017 + 10 tokens, and
  wrong=K      the first K answers have another shape        text=K     the first K are no JSON
  fence        the JSON stands in a Markdown fence           length     the answer is cut off by max_tokens
  refusal      the model refuses                             nul        the text holds \\u0000
  limited=K    the first K get 429 with Retry-After: 1       slow=S     answered after S seconds
  status=C     answered with that status, and the key        cut=K      the first K connections are closed
  long         an answer of 3 MiB                            nousage    without usage
  noschema     400 for response_format json_schema           newlimit   400 for max_tokens
GET /_requests gives what was asked: [{prompt, body, authorization, outcome, seconds}]; outcome is answered, refused, cut
or gone (the client left before the answer).
"""
import json
import re
import select
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOCK = threading.Lock()
REQUESTS = []
ASKED = {}

RESULTS = {
    "caption": {"captions": [{"text": "Tea, at last.", "confidence": 0.8}, {"text": "Time for tea"}]},
    "hashtags": {"hashtags": [{"tags": ["tea", "greentea"]}, {"tags": ["#teatime"]}]},
    "content_idea": {"ideas": [{"text": "How tea is picked"}, {"text": "Five cups from five countries"}]},
    "script": {"text": "Open on a kettle."},
    "translation": {"text": "Herbata"},
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=()):
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        with LOCK:
            self.answer(200, REQUESTS)

    def client_left(self, seconds):
        """Waits; true when the client closes its connection meanwhile."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            readable, _, _ = select.select([self.connection], [], [], max(0, min(0.05, end - time.monotonic())))
            if readable and self.connection.recv(1, socket.MSG_PEEK) == b"":
                return True
        return False

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][-1]["content"].split("\n")[0]
        words = dict((word.partition("=")[0], word.partition("=")[2]) for word in prompt.split())
        record = {"prompt": prompt, "body": body, "authorization": self.headers.get("Authorization"), "path": self.path}
        begun = time.monotonic()
        with LOCK:
            turn = ASKED[prompt] = ASKED.get(prompt, 0) + 1
            REQUESTS.append(record)
        record["outcome"] = self.act(body, words, turn, record)
        record["seconds"] = time.monotonic() - begun

    def act(self, body, words, turn, record):
        def first(word):
            return word in words and turn <= int(words[word])

        if first("cut"):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return "cut"
        if "noschema" in words and body.get("response_format", {}).get("type") == "json_schema":
            self.answer(400, {"error": {"message": "response_format json_schema is not supported"}})
            return "refused"
        if "newlimit" in words and "max_tokens" in body:
            self.answer(400, {"error": {"message": "Unsupported parameter: use max_completion_tokens"}})
            return "refused"
        if first("limited"):
            self.answer(429, {"error": {"message": "slow down"}}, [("Retry-After", "1")])
            return "refused"
        if "status" in words:
            self.answer(int(words["status"]), {"error": {"message": f"no, {record['authorization']}"}})
            return "refused"
        if "slow" in words and self.client_left(float(words["slow"])):
            self.close_connection = True
            return "gone"
        kind = re.search(r'"(captions|hashtags|ideas|text)"', json.dumps(body["messages"][0]["content"]).replace('\\"', '"'))
        kind = {"captions": "caption", "hashtags": "hashtags", "ideas": "content_idea", "text": "script"}[kind[1]]
        text = json.dumps(RESULTS[kind])
        if first("wrong"):
            text = '{"answer": "tea"}'
        if first("text"):
            text = "Here is what you asked for: " + text
        if "fence" in words:
            text = f"```json\n{text}\n```"
        if "nul" in words:
            text = '{"captions": [{"text": "a\\u0000b"}]}'
        if "long" in words:
            text = json.dumps({"captions": [{"text": "x" * (3 << 20)}]})
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        if "length" in words:
            choice["finish_reason"] = "length"
        if "refusal" in words:
            choice["message"] = {"role": "assistant", "content": None, "refusal": "I would rather not."}
        usage = {"prompt_tokens": 1000 + int(words.get("n", 0)), "completion_tokens": 10}
        answer = {"id": "1", "object": "chat.completion", "model": body["model"] + "-0001", "choices": [choice]}
        try:
            self.answer(200, answer if "nousage" in words else {**answer, "usage": usage})
        except OSError:
            return "gone"
        return "answered"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
