#!/usr/bin/env python3
"""How late a post starts, and how soon it is taken over: nexus-publisher with a webhook sink, posts that become due at
random moments. By the database's clock, from a post's scheduled_at until it is claimed and until its attempt is written:
in between lie the flush of the claim to disk and all that the handler reads. Once with nothing else in the queue, and once
with 100,000 jobs of the next days waiting in the same lane. Then publishers are killed while they send: how long until
another one holds the job. A flush of the disk is part of each claim, so its time stands beside.

  flush     6.0 ms
  lateness  idle               claimed: median 1.1 ms, p99 4.0 ms; attempt: median 3.1 ms, p99 9.0 ms, max 12.0 ms of 200 posts (goal 5 and 50 ms)
  takeover  lease 2 s          max 2.1 s after kill -9, of 5 (goal 3.0 s)
"""
import base64
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAMS = pathlib.Path(os.environ.get("NEXUS_PROGRAMS", ROOT / "build" / "dev" / "bridge"))
POSTS = int(os.environ.get("NEXUS_LATENESS_POSTS", "200"))
SECONDS = float(os.environ.get("NEXUS_LATENESS_SECONDS", "40"))
KILLS = int(os.environ.get("NEXUS_LATENESS_KILLS", "5"))
LEASE = 2
WARM_UP = 40
FIRST = 7000000  # ids of this benchmark's rows
PASSWORD = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43


def psql(sql, errors=False):
    return subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-f", "-"], input=sql, check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT if errors else None).stdout.strip()


def at(values, share):
    return values[min(len(values) - 1, int(share * len(values)))]


def wait(sql, seconds, every=0.2):
    end = time.time() + seconds
    while time.time() < end:
        if psql(sql) == "t":
            return
        time.sleep(every)
    sys.exit(f"it did not come true within {seconds} s: {sql}")


class Publisher:
    """A publisher under the name `worker`; the log is shown where it dies by itself."""

    def __init__(self, folder, worker):
        self.log = open(folder / f"{worker}.log", "w")
        self.process = subprocess.Popen(
            [PROGRAMS / "nexus-publisher", "--key-file", folder / "keys", "--allow-network", "127.0.0.0/8", "--lease", str(LEASE),
             "--timeout", "20", "--verify-after", "0", "--worker", worker], stderr=self.log)

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(30)
        return time.time()


def add_posts(first, dues):
    """Posts of one text each that are due at these times (Unix)."""
    rows = ", ".join(f"({first + i}, {due!r})" for i, due in enumerate(dues))
    psql(f"""BEGIN;
CREATE TEMP TABLE due ON COMMIT DROP AS SELECT * FROM (VALUES {rows}) AS v(id, at);
INSERT INTO social_posts (id, user_id, title, caption, content_type) SELECT id, 'lateness', 't', 'text ' || id, 'post' FROM due;
INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at)
SELECT id, id, {FIRST}, 'webhook', 'scheduled', to_timestamp(at) AT TIME ZONE 'UTC' FROM due;
COMMIT""")


def measure(name, first):
    start = time.time() + 3
    add_posts(first, [start + random.random() * SECONDS for _ in range(POSTS)])
    own = f"id BETWEEN {first} AND {first + POSTS - 1}"
    wait(f"SELECT count(*) = {POSTS} FROM platform_posts WHERE status = 'published' AND {own}", SECONDS + 60, 1)
    rows = [tuple(map(float, row.split("|"))) for row in psql(f"""
      SELECT 1000 * extract(epoch FROM c.at - due), 1000 * extract(epoch FROM a.started_at - due)
      FROM platform_posts p JOIN nexus.publish_attempts a ON a.platform_post_id = p.id AND a.attempt = 1
      JOIN LATERAL (SELECT min(at) AS at FROM lateness_claims c WHERE c.ref_id = p.id) c ON true
      CROSS JOIN LATERAL (SELECT p.scheduled_at AT TIME ZONE 'UTC' AS due) d WHERE p.{own}""").splitlines()]
    claimed, begun = (sorted(column) for column in zip(*rows))
    print(f"lateness  {name:18s} claimed: median {at(claimed, .5):.1f} ms, p99 {at(claimed, .99):.1f} ms; attempt: median {at(begun, .5):.1f} ms, "
          f"p99 {at(begun, .99):.1f} ms, max {begun[-1]:.1f} ms of {POSTS} posts (goal 5 and 50 ms)", flush=True)


def flush_time():
    """Milliseconds, the median of 50 flushes of the write-ahead log."""
    took = psql("""CREATE TABLE lateness_flush (n integer); SET synchronous_commit = on;
      DO $$ DECLARE began timestamptz; BEGIN
        FOR n IN 1 .. 50 LOOP INSERT INTO lateness_flush VALUES (n); began := clock_timestamp(); COMMIT;
          RAISE NOTICE '%', 1000 * extract(epoch FROM clock_timestamp() - began); END LOOP; END $$; DROP TABLE lateness_flush""", errors=True)
    return sorted(float(line.rsplit(" ", 1)[1]) for line in took.splitlines() if "NOTICE" in line)[25]


def take_over(folder, sink, id):
    """Seconds from the kill of the publisher that sends a post until another one holds its job."""
    one = Publisher(folder, "one")
    try:
        sink.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        add_posts(id, [time.time()])
        wait(f"SELECT EXISTS (SELECT FROM platform_posts WHERE id = {id} AND status = 'publishing')", 20)
        two = Publisher(folder, "two")
        time.sleep(LEASE)  # it has nothing to do and sleeps
        killed = one.end(signal.SIGKILL)
        wait(f"SELECT worker = 'two' AND state = 'leased' FROM nexus.jobs WHERE ref_id = {id}", 30, 0.05)
        claimed = float(psql(f"SELECT extract(epoch FROM a.at) FROM lateness_claims a WHERE a.ref_id = {id} AND a.worker = 'two' ORDER BY 1 LIMIT 1"))
    finally:
        sink.send_signal(signal.SIGCONT)
    wait(f"SELECT status = 'published' FROM platform_posts WHERE id = {id}", 60)
    two.end()
    return claimed - killed


for program in ("nexus-publisher", "nexus-webhook-sink"):
    if not (PROGRAMS / program).exists():
        print(f"  lateness is left out: {PROGRAMS / program} is not built", file=sys.stderr)
        sys.exit(0)
with tempfile.TemporaryDirectory() as name, socket.socket() as free:
    folder = pathlib.Path(name)
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    (folder / "keys").write_text("k1 " + base64.b64encode(bytes(range(32))).decode() + "\n")
    sealed = subprocess.run([PROGRAMS / "nexus-publisher", "--key-file", folder / "keys", "seal", "--platform", "webhook", "--account", "lateness",
                             "--column", "access_token"], input="secret", check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
    metadata = json.dumps({"webhook": {"idempotent": True, "read_back": True}})
    psql(f"""INSERT INTO users (id, email, password, first_name, last_name) VALUES ('lateness', 'lateness@example.org', '{PASSWORD}', 'L', 'L');
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name, instance_url, access_token, metadata)
VALUES ({FIRST}, 'lateness', 'webhook', 'lateness', 'L', 'http://127.0.0.1:{port}/posts', '{sealed}', '{metadata}');
-- who held a job, and from when on
CREATE TABLE lateness_claims (ref_id integer, worker text, at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION lateness_claim() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN INSERT INTO public.lateness_claims VALUES (NEW.ref_id, NEW.worker); RETURN NULL; END $$;
CREATE TRIGGER lateness_claim AFTER UPDATE OF state ON nexus.jobs FOR EACH ROW WHEN (NEW.state = 'leased') EXECUTE FUNCTION lateness_claim()""")
    sink = subprocess.Popen([PROGRAMS / "nexus-webhook-sink", "--port", str(port), "--file", folder / "posts", "--secret", "secret"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        print(f"flush     {flush_time():.1f} ms", flush=True)
        publisher = Publisher(folder, "bench")
        time.sleep(1)
        add_posts(FIRST - WARM_UP, [time.time()] * WARM_UP)  # the sessions of a new process plan their statements once
        wait(f"SELECT count(*) = {WARM_UP} FROM platform_posts WHERE status = 'published' AND id < {FIRST}", 60)
        measure("idle", FIRST)
        psql("""INSERT INTO nexus.jobs (kind, lane, account_id, run_at)
          SELECT 'publish', 'publish', i % 5000, now() + interval '1 day' + i * interval '1 s' FROM generate_series(1, 100000) i; ANALYZE nexus.jobs""")
        measure("100,000 waiting", FIRST + POSTS)
        publisher.end()
        took = [take_over(folder, sink, FIRST + 2 * POSTS + n) for n in range(KILLS)]
        print(f"takeover  lease {LEASE} s          median {sorted(took)[len(took) // 2]:.2f} s, max {max(took):.2f} s after kill -9, of {KILLS} (goal {LEASE + 1}.0 s)",
              flush=True)
    finally:
        sink.kill()
        psql("SET client_min_messages = warning; DROP FUNCTION lateness_claim() CASCADE; DROP TABLE lateness_claims; DELETE FROM nexus.jobs WHERE lane = 'publish'; DELETE FROM users WHERE id = 'lateness'")
