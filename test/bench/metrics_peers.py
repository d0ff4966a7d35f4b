#!/usr/bin/env python3
"""The aggregates of metrics beside plain SQL, the tdigest and hll packages and DuckDB, without parallel workers.

    test/bench/metrics_peers.py [ROWS [SESSIONS]]     default 500000 and 5; PGHOST and PGDATABASE say where

PARTS in the environment names those that are to run, of "sums duckdb counter quantiles distinct"; all by default.

Each session runs a statement twice, after a warm-up on a few rows. Figures are CPU milliseconds of the server process
(getrusage), the best of all sessions: of the first run, and of the repeated one, which finds memory that the first has
left. `floor` is the same scan and grouping with nothing but count() of the last column that is read: what no aggregate
can get below. Peers that are missing are named and left out.
"""
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
RUN = HERE.parent.parent / ".run" / "bench-peers"
ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 500000
SESSIONS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
CONTENTS, DAYS = 5000, 180  # with 500,000 rows each is polled on every other day
PARTS = os.environ.get("PARTS", "sums duckdb counter quantiles distinct").split()
BUSY = max(1, ROWS // 1000)  # with so many contents it is five times a day, whatever ROWS is
DUCKDB = "@duckdb/node-api@1.4.1-r.4"
SCHEMA = "metrics_bench"
SETTINGS = f"""SET timezone = 'UTC'; SET jit = off; SET max_parallel_workers_per_gather = 0; SET work_mem = '1GB';
SET client_min_messages = warning; SET search_path = {SCHEMA}, public;"""
USAGE = re.compile(r"!\s+([\d.]+) s user, ([\d.]+) s system, [\d.]+ s elapsed")
COUNTERS = "views, likes, comments, shares, saves, reach, clicks"
SUMS = ", ".join(f"sum({counter})" for counter in COUNTERS.split(", "))


def skip(what, why):
    print(f"  {what} is left out: {why}", file=sys.stderr)


def psql(script, *options):
    done = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", *options], input=SETTINGS + script, text=True,
                          capture_output=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done


def value(query):
    return psql(query).stdout.strip()


def cpu(table, *queries):
    """(first, repeated) CPU milliseconds of each query over a table; {t} stands for the table's name. The queries take
    turns, so that what else the machine does in its caches meanwhile meets all of them."""
    best = [[float("inf")] * 2 for _ in queries]
    for _ in range(SESSIONS):
        for place, query in enumerate(queries):
            # The row as a whole, else unused aggregates are dropped.
            whole = f"SELECT count(t) FROM ({query.format(t=table)}) t;\n"
            warm_up = f"SELECT count(t) FROM ({query.format(t='(SELECT * FROM ' + table + ' LIMIT 500) few')}) t;\n" * 2
            done = psql(warm_up + "SET client_min_messages = log; SET log_statement_stats = on;\n" + whole * 2)
            used = [1000 * (float(user) + float(system)) for user, system in USAGE.findall(done.stderr)]
            best[place] = [min(pair) for pair in zip(best[place], used[-2:])]
    return best


def line(what, ours, theirs, floor=None, note=""):
    ratio = [f"{their / our:5.2f}" for our, their in zip(ours, theirs)]
    print(f"{what:<58}{ours[0]:9.1f}{theirs[0]:9.1f} {ratio[0]}   {ours[1]:9.1f}{theirs[1]:9.1f} {ratio[1]}"
          f"   {'' if floor is None else f'{floor[1]:6.1f}':>6}  {note}")


def make_tables():
    psql(f"""
CREATE UNLOGGED TABLE samples AS
SELECT (abs(hashint8(g)::bigint) % {CONTENTS})::int AS content_id, (abs(hashint8(-g)::bigint) % {BUSY})::int AS busy_id, g AS seq, '2025-01-01'::timestamptz + g * (interval '{DAYS} days' / {ROWS}) AS captured_at,
  g AS views, g / 10 AS likes, g / 90 AS comments, g / 70 AS shares, g / 80 AS saves, g / 2 AS reach, g / 20 AS clicks
FROM generate_series(1::bigint, {ROWS}) g;
CREATE UNLOGGED TABLE counted AS
SELECT content_id, captured_at, CASE WHEN seq % 37 = 0 THEN views / 2 ELSE views END AS views, seq FROM samples
UNION ALL SELECT content_id, captured_at, views + 1, seq + {ROWS} FROM samples WHERE seq % 50 = 0;
CREATE UNLOGGED TABLE viewers AS
SELECT (1 + g % {CONTENTS})::int AS content_id, (g % 6)::int AS platform, (g % 200)::int AS account, g * 7919 % 200003 AS viewer,
  (g * 104729 % 1000003)::float8 AS seconds
FROM generate_series(1::bigint, {ROWS}) g;
CREATE UNLOGGED TABLE counted_in_order AS SELECT * FROM counted ORDER BY captured_at, seq;
VACUUM ANALYZE samples; VACUUM ANALYZE counted_in_order; VACUUM ANALYZE counted; VACUUM ANALYZE viewers;""")


def has(extension):
    if value(f"SELECT count(*) FROM pg_available_extensions WHERE name = '{extension}'") == "0":
        skip(extension, f"the package postgresql-15-{extension} is not installed")
        return False
    psql(f"CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA public;")
    print(f"peer: {extension} " + value(f"SELECT extversion FROM pg_extension WHERE extname = '{extension}'"))
    return True


def duckdb():
    """CPU milliseconds of DuckDB by statement; nothing where npm cannot be reached."""
    RUN.mkdir(parents=True, exist_ok=True)
    if not (RUN / "node_modules/@duckdb/node-api").exists():
        try:
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", DUCKDB], cwd=RUN, check=True, capture_output=True,
                           timeout=300)
        except (OSError, subprocess.SubprocessError):
            return skip("DuckDB", f"npm cannot install {DUCKDB} here")
    file = RUN / "samples.csv"
    with open(file, "w", encoding="utf-8") as out:
        out.write(psql("COPY (SELECT content_id, busy_id, captured_at AT TIME ZONE 'UTC' AS captured_at, " + COUNTERS +
                       " FROM samples) TO STDOUT WITH (FORMAT csv, HEADER);").stdout)
    done = subprocess.run(["node", HERE / "metrics_duckdb.mjs", file, str(2 * SESSIONS)], cwd=RUN, text=True, capture_output=True, check=False)
    file.unlink()
    if done.returncode != 0:
        return skip("DuckDB", done.stderr.strip().splitlines()[-1])
    answers = dict(answer.split() for answer in done.stdout.splitlines())
    print("peer: DuckDB", answers.pop("version"), "with one thread")
    return {name: float(ms) for name, ms in answers.items()}


def report_sums(what, ours, theirs, floor, duck, name):
    line(what, ours, theirs, floor)
    if duck:
        line("  beside DuckDB", ours, [duck[name]] * 2, None,
             f"DuckDB's time is 1/{min(ours) / duck[name]:.1f} of ours and 1/{min(floor) / duck[name]:.1f} of the floor")


def compare_sums(duck):
    for what, key, name in (("content and day", "content_id, captured_at::date", "day"),
                            ("busy content and day", "busy_id, captured_at::date", "busy_day"), ("content", "content_id", "content"),
                            ("nothing (a full scan)", None, "all")):
        if key is None:
            ours, theirs, floor = cpu("samples", f"SELECT nexus.metrics_agg({COUNTERS}, NULL) FROM {{t}}", f"SELECT {SUMS} FROM {{t}}",
                                      "SELECT count(clicks) FROM {t}")
            report_sums("metrics_agg, seven sums, by " + what, ours, theirs, floor, duck, name)
            continue
        groups = value(f"SELECT count(*) FROM (SELECT 1 FROM samples GROUP BY {key}) g")
        ours, theirs, floor = cpu("samples", f"SELECT {key}, nexus.metrics_agg({COUNTERS}, NULL) FROM {{t}} GROUP BY {key}",
                                  f"SELECT {key}, {SUMS} FROM {{t}} GROUP BY {key}",
                                  f"SELECT {key}, count(clicks) FROM {{t}} GROUP BY {key}")
        report_sums(f"metrics_agg, seven sums, by {what}, {groups} groups", ours, theirs, floor, duck, name)


def compare_counter():
    """The same samples where the revisions (one in fifty, of the same instant) stand behind all others, as a later
    import brings them, and where each stands beside what it revises."""
    for table, shape in (("counted", "revisions last"), ("counted_in_order", "in order of time")):
        ours, theirs, floor = cpu(
            table, "SELECT content_id, nexus.delta(nexus.counter_agg(captured_at, views, 'reset', seq)) FROM {t} GROUP BY 1",
            """SELECT content_id, sum(CASE WHEN before IS NULL THEN 0 WHEN views >= before THEN views - before ELSE views END)
          FROM (SELECT content_id, views, lag(views) OVER (PARTITION BY content_id ORDER BY captured_at) AS before
            FROM (SELECT DISTINCT ON (content_id, captured_at) * FROM {t} ORDER BY content_id, captured_at, seq DESC) d) l GROUP BY 1""",
            "SELECT content_id, count(seq) FROM {t} GROUP BY 1")
        line(f"counter_agg, dedup + lag(), {CONTENTS} series, {shape}", ours, theirs, floor)


def quantile_error(expression, key):
    """Mean and largest distance to percentile_cont() in rank: the values are spread evenly over 0 to 1000002."""
    return value(f"""SELECT avg(e)::numeric(12,7) || ' ' || max(e)::numeric(12,7) FROM (
      SELECT abs(answer - exact) / 1000002 AS e FROM unnest(ARRAY[0.5, 0.95, 0.99]) q, LATERAL (
        SELECT {expression} AS answer, percentile_cont(q) WITHIN GROUP (ORDER BY seconds) AS exact FROM viewers GROUP BY {key}) a) x;""").split()


def equal_error_compression(ours_error, key, errors):
    """The coarsest compression of tdigest, of 100, 200, 400 ..., whose mean error is no larger than ours. Where there is
    none, the one after which the error falls no further."""
    compression = 100
    while float(errors[compression][0]) > float(ours_error[0]) and compression < 1600:
        finer = quantile_error(f"tdigest_percentile(seconds, {2 * compression}, q)", key)
        if float(finer[0]) >= float(errors[compression][0]):
            break
        compression *= 2
        errors[compression] = finer
    return compression


def compare_quantiles():
    """Beside tdigest(100), its usual setting, and beside the one that answers as exactly as quantile_agg does."""
    for key, groups in (("platform", 6), ("account", 200), ("content_id", CONTENTS)):
        ours_error = quantile_error("nexus.quantile(nexus.quantile_agg(seconds), q)", key)
        errors = {100: quantile_error("tdigest_percentile(seconds, 100, q)", key)}
        equal = equal_error_compression(ours_error, key, errors)
        for compression in dict.fromkeys((100, equal)):
            error = errors[compression]
            ours, theirs, floor = cpu("viewers", f"SELECT {key}, nexus.quantile(nexus.quantile_agg(seconds), 0.95) FROM {{t}} GROUP BY 1",
                                      f"SELECT {key}, tdigest_percentile(seconds, {compression}, 0.95) FROM {{t}} GROUP BY 1",
                                      f"SELECT {key}, count(seconds) FROM {{t}} GROUP BY 1")
            reached = float(error[0]) <= float(ours_error[0])
            what = "equal error" if reached else "its least error" if compression == equal else "its usual setting"
            line(f"quantile_agg, tdigest({compression}), {groups} groups, {what}", ours, theirs, floor,
                 f"mean error {ours_error[0]} / {error[0]}, largest {ours_error[1]} / {error[1]}")


def distinct_error(expression, key):
    return value(f"""SELECT avg(e)::numeric(8,5) || ' ' || max(e)::numeric(8,5) FROM (
      SELECT abs({expression} / count(DISTINCT viewer) - 1) AS e FROM viewers GROUP BY {key}) x;""").split()


def compare_distinct():
    for key, groups, log2m in (("platform", 6, 14), ("account", 200, 11), ("content_id", CONTENTS, 11)):
        ours_error = distinct_error(f"nexus.distinct_count(nexus.distinct_agg(viewer, {log2m}))::numeric", key)
        error = distinct_error(f"hll_cardinality(hll_add_agg(hll_hash_bigint(viewer), {log2m}))::numeric", key)
        ours, theirs, floor = cpu("viewers", f"SELECT {key}, nexus.distinct_count(nexus.distinct_agg(viewer, {log2m})) FROM {{t}} GROUP BY 1",
                                  f"SELECT {key}, hll_cardinality(hll_add_agg(hll_hash_bigint(viewer), {log2m})) FROM {{t}} GROUP BY 1",
                                  f"SELECT {key}, count(viewer) FROM {{t}} GROUP BY 1")
        line(f"distinct_agg, hll, log2m {log2m}, {groups} groups", ours, theirs, floor,
             f"mean error {ours_error[0]} / {error[0]}, largest {ours_error[1]} / {error[1]}")


def main():
    psql(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA};")
    try:
        make_tables()
        print("peer: PostgreSQL " + value("SHOW server_version"))
        duck = duckdb() if "duckdb" in PARTS else None
        tdigest = "quantiles" in PARTS and has("tdigest")
        hll = "distinct" in PARTS and has("hll")
        print(f"{ROWS} rows, best of {SESSIONS} sessions, CPU ms; ratio: theirs / ours")
        print(f"{'':<58}{'first run':^24}   {'repeated':^24}")
        print(f"{'':<58}{'ours':>9}{'theirs':>9} ratio   {'ours':>9}{'theirs':>9} ratio   {'floor':>6}")
        if "sums" in PARTS:
            compare_sums(duck)
        if "counter" in PARTS:
            compare_counter()
        if tdigest:
            compare_quantiles()
        if hll:
            compare_distinct()
    finally:
        psql(f"DROP SCHEMA {SCHEMA} CASCADE;")


main()
