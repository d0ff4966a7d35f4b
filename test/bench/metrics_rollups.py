#!/usr/bin/env python3
"""What rollups of content_metrics cost and give, on a database with the extension and the 16 tables (PGHOST, PGDATABASE).
Commits, and removes its rows at the end. Modes take turns in one run; what counts is the ratio to no rollup. Beside the
clock, the processor time of the server's sessions is compared, which other work on the machine disturbs less.

  COPY of 500000 rows                    hot    52000 rows/s, ratio 0.90   processor 7.9 us a row, ratio 0.88
  8 clients on hot keys, batches of 20   hot    ...
  dashboards over 5000000 rows: ...

The peer "plpgsql" is the trigger that one would write instead: a statement trigger in PL/pgSQL that keeps the last sample
of each content, platform and UTC day. It knows no totals of an account, no hours, no updates and no deletions. The peers
of the questions are plain SQL over the samples (lag() over the neighbours) and over the days of that trigger.

NEXUS_BENCH_ROUNDS, NEXUS_BENCH_SECONDS: how often and how long. NEXUS_BENCH_ROWS, NEXUS_BENCH_DASHBOARD_ROWS: how many samples.
NEXUS_BENCH_CALLS: how often each question is asked. NEXUS_BENCH_PARTS: those of copy clients dashboards.
NEXUS_BENCH_MODES: those of none hot exact plpgsql.
"""
import os
import re
import statistics
import subprocess
import tempfile
import time

ROUNDS = int(os.environ.get("NEXUS_BENCH_ROUNDS", "3"))
SECONDS = os.environ.get("NEXUS_BENCH_SECONDS", "5")
ROWS = int(os.environ.get("NEXUS_BENCH_ROWS", "500000"))
DASHBOARD_ROWS = int(os.environ.get("NEXUS_BENCH_DASHBOARD_ROWS", "5000000"))
PARTS = os.environ.get("NEXUS_BENCH_PARTS", "copy clients dashboards").split()
CALLS = int(os.environ.get("NEXUS_BENCH_CALLS", "100"))
MODES = os.environ.get("NEXUS_BENCH_MODES", "none hot exact plpgsql").split()
COLUMNS = ("content_id, platform, captured_at, source, views, likes, comments, shares, saves, reach, clicks,"
           " watch_time_seconds")

# 500 authors, the largest of whom has an eighth of 5000 contents; each is measured on six platforms for 180 days.
SETUP = """
INSERT INTO users (id, email, password, first_name, last_name)
SELECT 'bench' || g, 'bench' || g || '@example.org',
  '$argon2id$v=19$m=19456,t=2,p=1$bWV0cmljc21ldHJpY3M$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'B', 'B'
FROM generate_series(0, 499) g;
INSERT INTO content (user_id, title, platform, content_type)
SELECT 'bench' || floor(500 * power((g * 7919 % 5000) / 5000.0, 3))::int, 'b' || g, 'youtube', 'video'
FROM generate_series(1, 5000) g;
ANALYZE content;
"""
SAMPLES = """
SELECT p.id AS content_id, (ARRAY['x', 'tiktok', 'youtube', 'instagram', 'facebook', 'linkedin'])[1 + g / 5000 % 6] AS platform,
  '2025-01-01'::timestamp + g * (interval '180 days' / {rows}) AS captured_at, 'api' AS source, g AS views, g / 10 AS likes,
  g / 90 AS comments, g / 70 AS shares, g / 80 AS saves, g / 2 AS reach, g / 20 AS clicks, g * 30 AS watch_time_seconds
FROM generate_series(1, {rows}::bigint) g
JOIN (SELECT row_number() OVER (ORDER BY id) - 1 AS n, id FROM content WHERE user_id LIKE 'bench%') p ON p.n = g * 7919 % 5000
ORDER BY g
"""
# Accounts of very different size: the first one has 2000 contents, 499 others share the rest. All contents are measured once
# a day on three platforms for a year, at a time of day of their own. Every 50 days a platform takes some back, and the
# counters of each 20th content start again once.
YEAR = """
INSERT INTO users (id, email, password, first_name, last_name)
SELECT 'year' || g, 'year' || g || '@example.org',
  '$argon2id$v=19$m=19456,t=2,p=1$bWV0cmljc21ldHJpY3M$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'B', 'B'
FROM generate_series(0, 499) g;
INSERT INTO content (user_id, title, platform, content_type)
SELECT 'year' || CASE WHEN g <= {contents} * 2000 / 4566 THEN 0 ELSE 1 + g % 499 END, 'b' || g, 'youtube', 'video'
FROM generate_series(1, {contents}) g;
ANALYZE content;
"""
YEAR_SAMPLES = """
SELECT content_id, platform, '2025-01-01'::timestamp + day * interval '1 day' + n * 7919 % 86400 * interval '1 second' AS captured_at,
  'api' AS source, v AS views, v / 20 AS likes, v / 200 AS comments, v / 150 AS shares, v / 90 AS saves, v * 2 / 3 AS reach,
  v / 40 AS clicks, v * 21 AS watch_time_seconds
FROM generate_series(0, 364) day, LATERAL (
  SELECT c.id AS content_id, c.n, p.platform, rate * CASE WHEN c.n % 20 = 3 AND day >= 60 + c.n % 300 THEN day - 60 - c.n % 300
      ELSE day + 30 END - CASE WHEN (day + c.n) % 50 = 0 THEN rate ELSE 0 END AS v
  FROM (SELECT row_number() OVER (ORDER BY id) AS n, id FROM content WHERE user_id LIKE 'year%') c
  CROSS JOIN (VALUES (1, 'x'), (2, 'tiktok'), (3, 'youtube')) p(k, platform)
  CROSS JOIN LATERAL (SELECT 50 + c.n * 7919 % 3000 + 100 * p.k AS rate) r
  OFFSET 0) s
"""
# What PL/pgSQL keeps.
PLPGSQL = """
CREATE TABLE bench_days (content_id integer, platform text, day date, at timestamp, views bigint, likes bigint, comments bigint,
  shares bigint, saves bigint, reach bigint, clicks bigint, watch_time_seconds bigint, PRIMARY KEY (content_id, platform, day))
  WITH (fillfactor = 80);
CREATE FUNCTION bench_keep_days() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO bench_days AS d
  SELECT DISTINCT ON (content_id, platform, captured_at::date) content_id, platform, captured_at::date, captured_at, views, likes,
    comments, shares, saves, reach, clicks, watch_time_seconds
  FROM added ORDER BY 1, 2, 3, 4 DESC
  ON CONFLICT (content_id, platform, day) DO UPDATE SET at = excluded.at, views = excluded.views, likes = excluded.likes,
    comments = excluded.comments, shares = excluded.shares, saves = excluded.saves, reach = excluded.reach,
    clicks = excluded.clicks, watch_time_seconds = excluded.watch_time_seconds
  WHERE excluded.at >= d.at;
  RETURN NULL;
END $$;
CREATE TRIGGER bench_days AFTER INSERT ON content_metrics REFERENCING NEW TABLE AS added FOR EACH STATEMENT
  EXECUTE FUNCTION bench_keep_days();
"""
EMPTY = """
ALTER TABLE content_metrics DISABLE TRIGGER USER;
TRUNCATE content_metrics, bench_days;
ALTER TABLE content_metrics ENABLE TRIGGER USER;
SELECT count(*) FROM nexus.rebuild_metrics_rollups();
"""


def psql(*commands):
    arguments = [part for command in commands for part in ("-c", command)]
    return subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", *arguments], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


POSTMASTER = psql("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)")


def command_of(pid):
    try:
        return open(f"/proc/{pid}/cmdline", "rb").read() or b"[local]"  # not waited for yet
    except OSError:  # it has ended
        return b""


def sessions_time():
    """Processor seconds of all sessions that have ended: the postmaster has waited for them."""
    for _ in range(100):
        time.sleep(0.1)
        children = open(f"/proc/{POSTMASTER}/task/{POSTMASTER}/children").read().split()
        if not any(b"[local]" in command_of(child) for child in children):
            break
    fields = open(f"/proc/{POSTMASTER}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def set_mode(mode):
    psql(f"ALTER TABLE content_metrics {'ENABLE' if mode in ('hot', 'exact') else 'DISABLE'} TRIGGER roll_up_inserted",
         f"ALTER TABLE content_metrics {'ENABLE' if mode == 'plpgsql' else 'DISABLE'} TRIGGER bench_days")
    if mode in ("hot", "exact"):
        psql(f"SELECT nexus.set_metrics_rollup('{mode}')")


def empty(mode):
    psql(EMPTY)
    set_mode(mode)
    for table in ("content_metrics", "nexus.metric_days", "nexus.metric_user_days", "nexus.metric_delta", "nexus.metric_series"):
        psql(f"VACUUM ANALYZE {table}")
    psql("CHECKPOINT")


def compare(title, measure):
    """measure(mode) gives rows, seconds and processor seconds."""
    rates, costs = {}, {}
    for _ in range(ROUNDS):
        for mode in MODES:
            rows, seconds, processor = measure(mode)
            rates[mode] = max(rates.get(mode, 0), rows / seconds)
            costs[mode] = min(costs.get(mode, 1e9), processor / rows * 1e6)
    for mode in MODES:
        print(f"{title:38} {mode:7} {rates[mode]:8.0f} rows/s, ratio {rates[mode] / rates['none']:.2f}   processor"
              f" {costs[mode]:6.1f} us a row, ratio {costs['none'] / costs[mode]:.2f}", flush=True)


def copy():
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
        psql(f"\\copy ({' '.join(SAMPLES.format(rows=ROWS).split())}) TO '{file.name}'")

        def measure(mode):
            empty(mode)
            before, started = sessions_time(), time.monotonic()
            psql(f"\\copy content_metrics ({COLUMNS}) FROM '{file.name}'")
            seconds = time.monotonic() - started
            return ROWS, seconds, sessions_time() - before

        compare(f"COPY of {ROWS} rows", measure)


def clients():
    first = psql("SELECT min(id) - 1 FROM content WHERE user_id LIKE 'bench%'")
    for batch in (1, 20):
        keys = "".join(f"\\set c{i} random_zipfian(1, 5000, 1.2)\n" for i in range(batch))
        # Each client measures later and later, as a poller does.
        values = ", ".join(
            f"({first} + :c{i}, 'x', (clock_timestamp() - interval '{batch - i} seconds') AT TIME ZONE 'UTC', 'api', :c{i}, 1, 2, 3)"
            for i in range(batch))
        script = keys + ("INSERT INTO content_metrics (content_id, platform, captured_at, source, views, likes, comments, reach)"
                         f" VALUES {values} ON CONFLICT DO NOTHING;\n")
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(script)
            file.flush()

            def measure(mode):
                empty(mode)
                before = sessions_time()
                out = subprocess.run(["pgbench", "-n", "-c", "8", "-j", "2", "-T", SECONDS, "-f", file.name], check=True,
                                     text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     env=dict(os.environ, PGOPTIONS="-c synchronous_commit=off")).stdout
                rows = batch * int(re.search(r"actually processed: (\d+)", out).group(1))
                return rows, rows / batch / float(re.search(r"tps = ([0-9.]+)", out).group(1)), sessions_time() - before

            compare(f"8 clients on hot keys, {batch} rows each", measure)


class Session:
    """A session whose calls are timed, by the server's clock and by its processor time."""

    def __init__(self):
        self.psql = subprocess.Popen(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1"], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
        self.pid = self.ask("SELECT pg_backend_pid()")
        self.ask("SET jit = off; SELECT 1")
        self.ask("SET max_parallel_workers_per_gather = 0; SELECT 1")
        self.psql.stdin.write("\\timing on\n")

    def ask(self, statement):
        self.psql.stdin.write(statement + ";\n")
        self.psql.stdin.flush()
        return self.psql.stdout.readline().strip()

    def processor(self):
        return int(open(f"/proc/{self.pid}/schedstat").read().split()[0]) / 1e6

    def time(self, statement, calls):
        """Milliseconds of each call, by the clock and of the processor, both ascending."""
        clock, processor = [], []
        for call in range(calls + 2):
            before = self.processor()
            self.ask(statement)
            took = float(re.search(r"Time: ([0-9.]+) ms", self.psql.stdout.readline()).group(1))
            if call < 2 < calls:
                continue  # not warm yet
            clock.append(took)
            processor.append(self.processor() - before)
        return sorted(clock), sorted(processor)


STEP = """CASE WHEN {c} >= lag({c}) OVER w OR {c} * 2 >= lag({c}) OVER w THEN {c} - lag({c}) OVER w
  WHEN lag({c}) OVER w IS NOT NULL THEN {c} END AS {c}"""
COUNTERS = "views likes comments shares saves reach clicks watch_time_seconds".split()
STEPS = "SELECT content_id, platform, {at}, " + ", ".join(STEP.format(c=counter) for counter in COUNTERS) + """
  FROM {table} m WHERE {which} AND {at} >= '{after}' AND {at} < '{before}'
  WINDOW w AS (PARTITION BY content_id, platform ORDER BY {at})"""
SUMS = ", ".join(f"sum({counter})" for counter in COUNTERS)


def dashboards():
    contents = DASHBOARD_ROWS // (3 * 365)
    empty("none")
    psql(YEAR.format(contents=contents))
    started = time.monotonic()
    psql("ALTER TABLE content_metrics DISABLE TRIGGER ALL", f"INSERT INTO content_metrics ({COLUMNS}) {YEAR_SAMPLES}",
         "ALTER TABLE content_metrics ENABLE TRIGGER ALL")
    rows = psql("SELECT count(*) FROM content_metrics")
    loaded = time.monotonic()
    series = psql("SELECT nexus.rebuild_metrics_rollups()")
    rebuilt = time.monotonic()
    psql(f"INSERT INTO bench_days SELECT content_id, platform, captured_at::date, captured_at, {', '.join(COUNTERS)} FROM content_metrics")
    set_mode("exact")
    psql("VACUUM ANALYZE")
    post, large = psql("SELECT min(content_id), count(*) FROM nexus.metric_series WHERE user_id = 'year0'").split("|")
    print(f"dashboards over {rows} rows: {series} series, {large} of them of the large account; loaded in"
          f" {loaded - started:.0f} s, rolled up in {rebuilt - loaded:.0f} s", flush=True)
    month, whole = "'2025-04-01', '2025-05-01'", "'2025-01-01', '2026-01-01'"
    account = "content_id IN (SELECT id FROM content WHERE user_id = 'year0')"

    def series_of(table, at):
        steps = STEPS.format(table=table, at=at, which=f"content_id = {post}", after="2025-03-31", before="2025-05-01")
        return f"SELECT count(t) FROM (SELECT {at}::date, {SUMS} FROM ({steps}) s WHERE {at} >= '2025-04-01' GROUP BY 1) t"

    def top(table, at):
        steps = STEPS.format(table=table, at=at, which=account, after="2025-03-31", before="2025-05-01")
        return (f"SELECT count(t) FROM (SELECT content_id, platform, {SUMS} FROM ({steps}) s WHERE {at} >= '2025-04-01'"
                " GROUP BY 1, 2 ORDER BY sum(views) DESC LIMIT 20) t")

    def heat():
        steps = STEPS.format(table="content_metrics", at="captured_at", which=account, after="2025-01-01", before="2026-01-01")
        return (f"SELECT count(t) FROM (SELECT extract(dow FROM captured_at), extract(hour FROM captured_at), {SUMS}"
                f" FROM ({steps}) s GROUP BY 1, 2) t")

    def call(function):
        return f"SELECT count(t) FROM nexus.{function} t"

    session = Session()
    for what, statement, calls in (
        ("30-day series of a content", call(f"metrics_series({post}, {month})"), CALLS),
        ("  plain SQL, samples", series_of("content_metrics", "captured_at"), CALLS),
        ("  plain SQL, days of PL/pgSQL", series_of("bench_days", "day"), CALLS),
        ("top 20 of the account, 30 days", call(f"top_content('year0', {month})"), CALLS),
        ("top 20, the latest 30 days", call("top_content('year0', '2025-12-02', 'infinity')"), CALLS),
        ("top 20, the whole year", call(f"top_content('year0', {whole})"), CALLS),
        ("  plain SQL, samples, 30 days", top("content_metrics", "captured_at"), 5),
        ("  plain SQL, days of PL/pgSQL", top("bench_days", "day"), 5),
        ("heat map of the account", call("account_heatmap('year0')"), CALLS),
        ("  plain SQL, samples", heat(), 2),
        ("30-day series of the account", call(f"account_series('year0', {month})"), CALLS),
        ("summary of the account, 30 days", call(f"account_summary('year0', {month})"), 10),
    ):
        clock, processor = session.time(statement, calls)
        p99 = int(0.99 * len(clock))
        print(f"  {what:32} median {statistics.median(clock):9.2f} p99 {clock[p99]:9.2f} ms   processor median"
              f" {statistics.median(processor):9.2f} p99 {processor[p99]:9.2f} ms", flush=True)
    session.psql.stdin.close()
    session.psql.wait()


psql(PLPGSQL)
psql(SETUP)
try:
    for part in PARTS:
        {"copy": copy, "clients": clients, "dashboards": dashboards}[part]()
finally:
    empty("exact")
    psql("DROP TABLE bench_days", "DROP FUNCTION bench_keep_days() CASCADE",
         "DELETE FROM users WHERE id LIKE 'bench%' OR id LIKE 'year%'")
