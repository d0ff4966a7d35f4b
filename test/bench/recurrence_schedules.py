#!/usr/bin/env python3
"""100,000 schedules in one statement: what next_run_at costs to compute, what it costs to store, and what of that is the
price of any UPDATE. Milliseconds on the client's clock, medians of 5; the tables are vacuumed after each round, as
autovacuum would.
"""
import statistics
import subprocess
import sys

ROUNDS = 5
PASSWORD = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2g"
SETUP = rf"""
SET client_min_messages = warning;
SET nexus.import_mode = on;
INSERT INTO users (id, email, password, first_name, last_name)
  SELECT 'bench-' || i, 'bench-' || i || '@example.com', '{PASSWORD}', 'A', 'A' FROM generate_series(1, 1000) i;
INSERT INTO social_posts (id, user_id, title, content_type)
  SELECT 1000000 + i, 'bench-' || i % 1000 + 1, 't', 'post' FROM generate_series(1, 100000) i;
INSERT INTO post_schedules (id, social_post_id, platform, scheduled_at, recurrence, rrule, timezone, next_run_at)
  SELECT 1000000 + i, 1000000 + i, 'x', '2020-01-01'::timestamp + i * interval '1 minute',
    (ARRAY['daily', 'weekly', 'custom', 'weekdays'])[i % 4 + 1],
    CASE i % 4 WHEN 2
      THEN (ARRAY['FREQ=MONTHLY;BYDAY=2TU', 'FREQ=MONTHLY;BYMONTHDAY=-1', 'FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR'])[i % 3 + 1] END,
    (ARRAY['Europe/Berlin', 'America/New_York', 'UTC', 'Asia/Tokyo', 'Australia/Sydney'])[i % 5 + 1], '2026-01-01'
  FROM generate_series(1, 100000) i;
SET nexus.import_mode = off;
SELECT nexus.refresh_next_runs('2026-01-01 12:00Z') AS first_run \gset
CREATE TABLE one_index AS SELECT * FROM post_schedules;
CREATE INDEX ON one_index (next_run_at, id) WHERE status = 'pending';
CREATE TABLE no_index AS SELECT * FROM post_schedules;
CREATE TABLE in_place (LIKE post_schedules) WITH (fillfactor = 45);
INSERT INTO in_place SELECT * FROM post_schedules;
"""
CLEANUP = "DROP TABLE one_index, no_index, in_place; DELETE FROM users WHERE id LIKE 'bench-%';"
VACUUM = "VACUUM ANALYZE users, social_posts, post_schedules, one_index, no_index, in_place;"
COLUMNS = "recurrence, rrule, scheduled_at, timezone, series_end_date, exdates, occurrence_limit"


def later(table):
    return f"UPDATE {table} SET next_run_at = next_run_at + interval '1 second'"


def steps(round_):
    """Every rule recurs within 40 days: each round moves all schedules on."""
    due = f"'2026-01-01 00:00Z'::timestamptz + {round_ + 1} * interval '40 days'"
    return [
        ("computed, not stored", f"SELECT count(nexus.schedule_next({COLUMNS}, ({due}) AT TIME ZONE 'UTC')) FROM post_schedules"),
        ("computed, all stored", f"SELECT nexus.refresh_next_runs({due})"),
        ("computed, found stored already", f"SELECT nexus.refresh_next_runs({due}, true)"),
        ("due in the next five minutes", "SELECT id FROM post_schedules WHERE status = 'pending' AND next_run_at <= "
         f"({due}) AT TIME ZONE 'UTC' + interval '5 minutes' ORDER BY next_run_at, id"),
        ("a bare UPDATE of post_schedules", later("post_schedules")),
        ("  of a copy with one index, without constraints and triggers", later("one_index")),
        ("  of a copy without any index", later("no_index")),
        ("  of that with room to update in place", later("in_place")),
    ]


def main():
    script = SETUP + VACUUM
    for round_ in range(ROUNDS):
        for _, statement in steps(round_):
            script += f"\n\\o /dev/null\n\\timing on\n{statement};\n\\timing off\n\\o\n{VACUUM}"
    done = subprocess.run(["psql", "-X", "-v", "ON_ERROR_STOP=1"], input=script + CLEANUP, text=True, capture_output=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    times = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("Time:")]
    names = [name for name, _ in steps(0)]
    if len(times) != ROUNDS * len(names):
        sys.exit(f"{len(times)} times instead of {ROUNDS * len(names)}")
    for i, name in enumerate(names):
        print(f"{name:62} {statistics.median(times[i::len(names)]):8.2f} ms")


main()
