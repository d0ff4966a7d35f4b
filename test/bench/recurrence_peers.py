#!/usr/bin/env python3
"""Recurrence in SQL beside its peers, in one run: nanoseconds per occurrence and microseconds for one next occurrence 26
years after DTSTART, and how many times as long the peers take.

Peers are optional. libical (libical-dev), python3-dateutil; rrule and rrule-rust where node finds them, or npm can
install them below .run: one that is missing is named and left out. SQL is timed by the server's clock, planning and
execution; the peers in CPU time. Medians of 5 runs for SQL.
"""
import datetime
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
RUN = HERE.parent.parent / ".run" / "bench-peers"
RULES = [  # name, DTSTART, rule, zone, the same by generate_series where it can
    ("daily", "20000101T090000", "FREQ=DAILY", "UTC", "'1 day'"),
    ("weekly MO,WE,FR", "20000103T090000", "FREQ=WEEKLY;BYDAY=MO,WE,FR", "UTC", None),
    ("monthly last day", "20000131T090000", "FREQ=MONTHLY;BYMONTHDAY=-1", "UTC", None),
    ("monthly 2nd Tuesday", "20000111T090000", "FREQ=MONTHLY;BYDAY=2TU", "UTC", None),
    ("yearly", "20000101T090000", "FREQ=YEARLY", "UTC", "'1 year'"),
    ("last workday", "20000131T090000", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "UTC", None),
    ("hourly in BYHOUR", "20000103T090000", "FREQ=HOURLY;BYHOUR=9,10,11,12,13,14,15,16,17", "UTC", None),
    ("Feb 29", "20000229T090000", "FREQ=YEARLY", "UTC", None),
    ("daily New York", "20000101T090000", "FREQ=DAILY", "America/New_York", None),
    ("weekly New York", "20000103T090000", "FREQ=WEEKLY;BYDAY=MO,WE,FR", "America/New_York", None),
    ("15-minutely", "20000101T090000", "FREQ=MINUTELY;INTERVAL=15", "UTC", "'15 min'"),
]
INPUT = "".join(f"{start} {rule}\n" for _, start, rule, _, _ in RULES)
FAR = "2026-06-15 12:00Z"
SETUP = """
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.microseconds(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE started timestamptz; times float8[];
BEGIN
  EXECUTE query;
  FOR i IN 1..5 LOOP
    started := clock_timestamp();
    EXECUTE query;
    times := times || extract(epoch FROM clock_timestamp() - started)::float8 * 1e6;
  END LOOP;
  RETURN (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(times) t);
END $$;
"""


def skip(what, why):
    print(f"  {what} is left out: {why}", file=sys.stderr)


def sql(queries):
    """Microseconds of each query."""
    script = SETUP + "".join(f"SELECT pg_temp.microseconds($q${q}$q$);\n" for q in queries)
    done = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1"], input=script, text=True, capture_output=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return [float(line) for line in done.stdout.split()]


def nexus():
    count, calls, queries = 5000, 2000, []
    for _, start, rule, zone, _ in RULES:
        arguments = f"'{rule}', '{start}', '{zone}'"
        limit = f"max_count => {2000 if 'YEARLY' in rule else count}"
        queries.append(f"SELECT count(*) FROM (SELECT nexus.occurrences({arguments}, {limit})) o")
        queries.append(f"SELECT count(*) FROM nexus.occurrences({arguments}, {limit})")
        for function in ("next", "previous"):
            for after in (datetime.datetime.strptime(start, "%Y%m%dT%H%M%S") + datetime.timedelta(days=3000), FAR):
                queries.append(f"SELECT count(nexus.{function}_occurrence({arguments}, "
                               f"'{after}'::timestamptz + i * interval '1 second')) FROM generate_series(1, {calls}) i")
    times = sql(queries)
    rows = []
    for i, (_, _, rule, _, _) in enumerate(RULES):
        listed, scanned, *steps = times[6 * i:6 * i + 6]
        # As many as there are: 29 February comes 1,940 times until the year 9999.
        found = (1940 if "Feb" in RULES[i][0] else 2000) if "YEARLY" in rule else count
        rows.append((listed * 1000 / found, scanned * 1000 / found, *[t / calls for t in steps]))
    return rows


def generate_series():
    count = 5000
    with_step = [(i, r) for i, r in enumerate(RULES) if r[4]]
    times = sql([f"SELECT count(*) FROM (SELECT generate_series('{r[1]}'::timestamp, '{r[1]}'::timestamp + {count - 1} * "
                 f"interval {r[4]}, {r[4]})) o" for _, r in with_step])
    rows = [None] * len(RULES)
    for (i, _), t in zip(with_step, times, strict=True):
        rows[i] = (t * 1000 / count, None)
    return rows


def parse(output):
    return [None if line.startswith("-") else tuple(map(float, line.split())) for line in output.splitlines()]


def libical():
    if not pathlib.Path("/usr/include/libical/ical.h").exists():
        return skip("libical", "the package libical-dev is not installed")
    RUN.mkdir(parents=True, exist_ok=True)
    program = RUN / "libical"
    subprocess.run(["cc", "-O2", "-o", program, HERE / "recurrence_libical.c", "-lical"], check=True)
    return parse(subprocess.run([program], input=INPUT, text=True, capture_output=True, check=True, timeout=120).stdout)


def dateutil():
    try:
        from dateutil.rrule import rrulestr
    except ImportError:
        return skip("dateutil", "the package python3-dateutil is not installed")
    rows = []
    for _, start, rule, _, _ in RULES:
        begin_at = datetime.datetime.strptime(start, "%Y%m%dT%H%M%S")
        times = []
        found = 0
        for _ in range(3):
            begin = time.process_time()
            found = sum(1 for _ in zip(range(500), rrulestr(rule, dtstart=begin_at)))
            times.append((time.process_time() - begin) * 1e9 / found)
        begin = time.process_time()
        if "MINUTELY" not in rule:
            rrulestr(rule, dtstart=begin_at).after(datetime.datetime(2026, 6, 15, 12))
        next_time = (time.process_time() - begin) * 1e6
        rows.append((statistics.median(times), None if "MINUTELY" in rule else next_time))
    return rows


def node(package):
    RUN.mkdir(parents=True, exist_ok=True)
    if not (RUN / "node_modules" / package).exists():
        try:
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", package], cwd=RUN, check=True,
                           capture_output=True, timeout=120)
        except (OSError, subprocess.SubprocessError):
            return skip(package, "npm cannot install it here")
    done = subprocess.run(["node", HERE / "recurrence_peers.mjs", package], cwd=RUN, input=INPUT, text=True,
                          capture_output=True, timeout=300)
    if done.returncode != 0:
        return skip(package, done.stderr.strip().splitlines()[-1] if done.stderr else "it failed")
    return parse(done.stdout)


def main():
    ours = nexus()
    peers = {"generate_series": generate_series(), "libical": libical(), "dateutil": dateutil(), "rrule": node("rrule"),
             "rrule-rust": node("rrule-rust")}
    peers = {name: rows for name, rows in peers.items() if rows}
    print("ns per occurrence, in SELECT list and in FROM; peers in ns and as multiples of the SELECT list")
    for i, (name, *_) in enumerate(RULES):
        cells = [f"{p} {rows[i][0]:.0f} ({rows[i][0] / ours[i][0]:.1f}x)" for p, rows in peers.items() if rows[i]]
        print(f"{name:20} {ours[i][0]:5.0f} {ours[i][1]:5.0f}   {'  '.join(cells)}")
    print("us for one call in a warm loop: next near, next far, far/near; previous near, far, far/near; peers far in us")
    for i, (name, *_) in enumerate(RULES):
        near, far, previous_near, previous_far = ours[i][2:]
        cells = [f"{p} {rows[i][1]:.0f} ({rows[i][1] / far:.0f}x)" for p, rows in peers.items() if rows[i] and rows[i][1]]
        print(f"{name:20} {near:5.2f} {far:5.2f} {far / near:4.2f}  {previous_near:5.2f} {previous_far:5.2f} "
              f"{previous_far / previous_near:4.2f}   {'  '.join(cells)}")


if __name__ == "__main__":
    os.environ.setdefault("PGDATABASE", "nexus")
    main()
