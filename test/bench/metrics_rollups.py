#!/usr/bin/env python3
"""What rollups of content_metrics cost and give, on a database with the extension and the 16 tables (PGHOST, PGDATABASE).
Commits, and removes its rows at the end. Modes take turns in one run; what counts is the ratio to no rollup. Beside the
clock, the processor time of the server's sessions is compared, which other work on the machine disturbs less.

  COPY of 500000 rows                    hot    52000 rows/s, ratio 0.90   processor 7.9 us a row, ratio 0.88
  8 clients on hot keys, batches of 20   hot    ...
  dashboards over 5000000 rows: ...

NEXUS_BENCH_ROUNDS, NEXUS_BENCH_SECONDS: how often and how long. NEXUS_BENCH_ROWS, NEXUS_BENCH_DASHBOARD_ROWS: how many samples.
NEXUS_BENCH_PARTS: those of copy clients dashboards.
"""
import os
import re
import subprocess
import tempfile
import time

ROUNDS = int(os.environ.get("NEXUS_BENCH_ROUNDS", "3"))
SECONDS = os.environ.get("NEXUS_BENCH_SECONDS", "5")
ROWS = int(os.environ.get("NEXUS_BENCH_ROWS", "500000"))
DASHBOARD_ROWS = int(os.environ.get("NEXUS_BENCH_DASHBOARD_ROWS", "5000000"))
PARTS = os.environ.get("NEXUS_BENCH_PARTS", "copy clients dashboards").split()
MODES = ["none", "hot", "exact"]
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
EMPTY = """
ALTER TABLE content_metrics DISABLE TRIGGER USER;
TRUNCATE content_metrics;
ALTER TABLE content_metrics ENABLE TRIGGER USER;
SELECT count(*) FROM nexus.rebuild_metrics_rollups();
"""
BEST = """
CREATE FUNCTION pg_temp.best(statement text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE least_ms numeric; started timestamptz;
BEGIN
  FOR i IN 1..20 LOOP
    started := clock_timestamp();
    EXECUTE statement;
    least_ms := least(least_ms, 1000 * extract(epoch FROM clock_timestamp() - started));
  END LOOP;
  RETURN round(least_ms, 2);
END $$;
"""


def psql(*commands):
    arguments = [part for command in commands for part in ("-c", command)]
    return subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", *arguments], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


POSTMASTER = psql("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)")


def sessions_time():
    """Processor seconds of all sessions that have ended: the postmaster has waited for them."""
    time.sleep(0.3)
    fields = open(f"/proc/{POSTMASTER}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def set_mode(mode):
    psql("ALTER TABLE content_metrics ENABLE TRIGGER roll_up_inserted")
    if mode == "none":
        psql("ALTER TABLE content_metrics DISABLE TRIGGER roll_up_inserted")
    else:
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
        print(f"{title:38} {mode:5} {rates[mode]:8.0f} rows/s, ratio {rates[mode] / rates['none']:.2f}   processor"
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


def dashboards():
    empty("none")
    started = time.monotonic()
    psql(f"INSERT INTO content_metrics ({COLUMNS}) {SAMPLES.format(rows=DASHBOARD_ROWS)}")
    loaded = time.monotonic()
    series = psql("SELECT nexus.rebuild_metrics_rollups()")
    rebuilt = time.monotonic()
    set_mode("exact")
    psql("VACUUM ANALYZE")
    largest, contents = psql("SELECT user_id, count(DISTINCT content_id) FROM nexus.metric_series GROUP BY 1"
                             " ORDER BY 2 DESC LIMIT 1").split("|")
    post = psql(f"SELECT min(content_id) FROM nexus.metric_series WHERE user_id = '{largest}'")
    print(f"dashboards over {DASHBOARD_ROWS} rows: {series} series, loaded in {loaded - started:.0f} s, rebuilt in"
          f" {rebuilt - loaded:.0f} s; the largest account has {contents} contents")
    month = "'2025-04-01', '2025-05-01'"
    for what, call in (("30-day series of a content", f"metrics_series({post}, {month})"),
                       ("30-day series of the account", f"account_series('{largest}', {month})"),
                       ("top 20 of the account, 30 days", f"top_content('{largest}', {month}, max_count => 20)"),
                       ("summary of the account, 30 days", f"account_summary('{largest}', {month})"),
                       ("heat map of the account", f"account_heatmap('{largest}')")):
        statement = f"SELECT count(*) FROM nexus.{call}".replace("'", "''")
        print(f"  {what:32} best of 20 {psql('SET jit = off', BEST, f'''SELECT pg_temp.best('{statement}')'''):>8} ms", flush=True)


psql(SETUP)
try:
    for part in PARTS:
        {"copy": copy, "clients": clients, "dashboards": dashboards}[part]()
finally:
    empty("exact")
    psql("DELETE FROM users WHERE id LIKE 'bench%'")
