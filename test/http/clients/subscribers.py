"""Many readers of GET /events, each of its own user, and one writer: subscribers.py PORT COUNT SECRET PSQL-ARGUMENT...

Says what it does a line at a time: "restart" asks for another bridge on the port. Ends with a line of figures:
lost, doubled, and milliseconds from the clock in the row, which was read before its commit, to the first byte here.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import random
import resource
import sys
import time

PORT, COUNT, SECRET = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
PSQL = sys.argv[4:]


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(user):
    claims = {"role": "member", "sub": user, "exp": int(time.time()) + 3600}
    signed = encoded(b'{"alg":"HS256"}') + "." + encoded(json.dumps(claims).encode())
    return signed + "." + encoded(hmac.new(SECRET, signed.encode(), hashlib.sha256).digest())


class Subscriber:
    """One EventSource: comes back by itself, behind the last id that it has seen."""

    def __init__(self, number, gate):
        self.user, self.gate = f"u{number}", gate
        self.head = f"GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token(self.user)}\r\n"
        self.last, self.open, self.latest, self.seen, self.delays = None, False, 0, {}, []

    async def run(self):
        while True:
            try:
                await self.read()
            except (OSError, asyncio.IncompleteReadError):
                pass
            self.open = False
            await asyncio.sleep(random.uniform(0.1, 0.4))

    async def read(self):
        async with self.gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
            last = "" if self.last is None else f"Last-Event-ID: {self.last}\r\n"
            writer.write((self.head + last + "\r\n").encode())
            while True:
                line = await reader.readline()
                if not line:
                    writer.close()
                    return
                if line.startswith(b"retry:"):
                    break
        self.open = True
        pending = None
        while line := await reader.readline():
            if line.startswith(b"id: "):
                pending = line[4:].strip().decode()
            elif line.startswith(b"data: "):
                row = json.loads(line[6:])
                assert row["user_id"] == self.user
                self.seen[row["n"]] = self.seen.get(row["n"], 0) + 1
                self.delays.append((time.time() - row["at"]) * 1000)
            elif line == b"\n" and pending is not None:
                self.last, pending = pending, None
        writer.close()


class Writer:
    """Commits one row after the other."""

    async def start(self):
        self.told = {}
        self.n = 0
        self.psql = await asyncio.create_subprocess_exec(*PSQL, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL)

    async def tell(self, number):
        self.n += 1
        self.told.setdefault(f"u{number}", set()).add(self.n)
        self.psql.stdin.write(f"INSERT INTO notifications (user_id, n, at) VALUES ('u{number}', {self.n}, extract(epoch FROM clock_timestamp()));\n".encode())
        await self.psql.stdin.drain()

    async def at_pace(self, count, pause):
        for _ in range(count):
            await self.tell(random.randrange(COUNT))
            await asyncio.sleep(pause)

    def command(self, sql):
        self.psql.stdin.write((sql + "\n").encode())

    async def stop(self):
        self.psql.stdin.close()
        await self.psql.wait()


async def until(condition, seconds):
    end = time.time() + seconds
    while not condition() and time.time() < end:
        await asyncio.sleep(0.02)
    return condition()


def say(text):
    print(text, flush=True)


async def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, COUNT + 200)), hard))
    random.seed(7)
    gate = asyncio.Semaphore(100)
    crowd = [Subscriber(number, gate) for number in range(COUNT)]
    tasks = [asyncio.create_task(one.run()) for one in crowd]
    writer = Writer()
    await writer.start()
    open_streams = lambda: sum(one.open for one in crowd)
    await until(lambda: open_streams() == COUNT, 60)
    say(f"open {open_streams()}")

    arrived = lambda: sum(len(one.seen) for one in crowd)
    # Whoever has no id yet could not be told what it missed.
    for number in range(COUNT):
        await writer.tell(number)
    await until(lambda: arrived() == writer.n, 60)
    say(f"first {arrived()}")
    for one in crowd:
        one.delays.clear()
    await writer.at_pace(600, 0.005)
    await until(lambda: arrived() == writer.n, 30)
    delays = sorted(delay for one in crowd for delay in one.delays)

    for _ in range(3):
        await writer.at_pace(100, 0.002)
        writer.command("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gate';")
        await writer.at_pace(100, 0.002)
    await until(lambda: arrived() == writer.n, 30)
    say(f"cut {writer.n - arrived()}")

    say("restart")
    await writer.at_pace(600, 0.005)
    await until(lambda: open_streams() == COUNT, 60)
    await writer.at_pace(100, 0.002)
    await until(lambda: arrived() == writer.n, 30)
    await asyncio.sleep(0.5)
    await writer.stop()
    for task in tasks:
        task.cancel()
    lost = sum(len(writer.told.get(one.user, set()) - one.seen.keys()) for one in crowd)
    strange = sum(len(one.seen.keys() - writer.told.get(one.user, set())) for one in crowd)
    doubled = sum(count - 1 for one in crowd for count in one.seen.values())
    at = lambda share: delays[min(len(delays) - 1, int(len(delays) * share))]
    say(f"told {writer.n} lost {lost} doubled {doubled} strange {strange} p50 {at(0.5):.1f} p99 {at(0.99):.1f} max {delays[-1]:.1f}")


asyncio.run(main())
