#!/usr/bin/env python3
"""The queue against plain SKIP LOCKED SQL: jobs per second, claimed and completed in two durable transactions, by pgbench
with 4 clients. The two take turns in one run, and what counts is the ratio. The plain one is a table with the same
columns, fencing and pinned plans (by primary key, never by an index over leases), one ready index, and neither priorities over lanes, fairness, state machine nor limits.

  queue  batch 50    12345 jobs/s, plain 12000 jobs/s, ratio 1.03
"""
import os
import re
import subprocess
import sys
import tempfile

ROUNDS = int(os.environ.get("NEXUS_BENCH_ROUNDS", "3"))
SECONDS = os.environ.get("NEXUS_BENCH_SECONDS", "4")
CLIENTS = "4"

PLAIN = """
DROP TABLE IF EXISTS plain_jobs;
DROP SEQUENCE IF EXISTS plain_token;
CREATE TABLE plain_jobs (LIKE nexus.jobs INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING CONSTRAINTS, PRIMARY KEY (id))
  WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
CREATE UNIQUE INDEX ON plain_jobs (kind, unique_key) WHERE unique_key IS NOT NULL AND state IN ('ready', 'leased');
CREATE INDEX ON plain_jobs (lane, priority, run_at, id) WHERE state = 'ready';
CREATE INDEX ON plain_jobs (lease_until) WHERE state = 'leased';
CREATE INDEX ON plain_jobs (finished_at) WHERE state IN ('done', 'dead', 'cancelled');
CREATE SEQUENCE plain_token;
"""
CLAIM_PLAIN = """WITH pick AS (
    SELECT j.id FROM plain_jobs j WHERE j.state = 'ready' AND j.lane = 'bench' AND j.priority = 100 AND j.run_at <= now()
    ORDER BY j.run_at, j.id LIMIT {n} FOR UPDATE SKIP LOCKED),
  got AS (
    UPDATE plain_jobs j SET state = 'leased', attempts = attempts + 1, lease_token = nextval('plain_token'),
      lease_until = clock_timestamp() + interval '30 s', worker = 'w' FROM pick WHERE j.id = pick.id RETURNING j.*)
  SELECT COALESCE(array_agg(id), '{{}}') AS ids, COALESCE(array_agg(lease_token), '{{}}') AS tokens, count(payload) AS got FROM got \\gset
"""
COMPLETE_PLAIN = """WITH ended AS (
    UPDATE plain_jobs j SET state = 'done', finished_at = clock_timestamp(), lease_token = NULL, lease_until = NULL
    FROM unnest(:ids::bigint[], :tokens::bigint[]) u(id, token) WHERE j.id = u.id AND j.lease_token = u.token AND j.state IN ('leased', '') RETURNING j.id)
  SELECT count(*) AS done FROM ended \\gset
"""
CLAIM = """SELECT COALESCE(array_agg(id), '{{}}') AS ids, COALESCE(array_agg(lease_token), '{{}}') AS tokens, count(payload) AS got
  FROM nexus.claim_jobs('{{bench}}', {n}, worker => 'w') \\gset
"""
COMPLETE = "SELECT count(*) AS done FROM nexus.complete_jobs(:ids, :tokens) \\gset\n"
FILL = """INSERT INTO {table} (kind, lane, account_id, run_at) SELECT 'ai_task', 'bench', {account}, now() - random() * interval '1 hour'
  FROM generate_series(1, {count}) i"""


def psql(sql):
    return subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def rate(name, script, table, batch):
    """Jobs per second that ended as done."""
    count = int(float(SECONDS) * (4000 if batch == 1 else 120000))
    psql(f"TRUNCATE {table}")
    psql(FILL.format(table=table, count=count, account="i % 5000 + 1"))
    psql(f"VACUUM (FREEZE, ANALYZE) {table}")
    psql("CHECKPOINT")
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        out = subprocess.run(
            ["pgbench", "-n", "-M", "prepared", "-c", CLIENTS, "-j", "2", "-T", SECONDS, "-f", file.name],
            check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(os.environ, PGOPTIONS="-c enable_hashjoin=off -c enable_mergejoin=off -c enable_seqscan=off -c plan_cache_mode=force_generic_plan"
                     if name == "plain" else "")).stdout
    seconds = float(re.search(r"number of transactions actually processed: (\d+)", out).group(1)) / float(
        re.search(r"tps = ([0-9.]+)", out).group(1))
    done = int(psql(f"SELECT count(*) FROM {table} WHERE state = 'done'"))
    if done >= count:
        sys.exit(f"{name}: {count} jobs were too few")
    return done / seconds


psql(PLAIN)
for batch in map(int, os.environ.get("NEXUS_BENCH_BATCHES", "1 50 500").split()):
    best = {"plain": 0.0, "queue": 0.0}
    for _ in range(ROUNDS):
        best["plain"] = max(best["plain"], rate("plain", (CLAIM_PLAIN + COMPLETE_PLAIN).format(n=batch), "plain_jobs", batch))
        best["queue"] = max(best["queue"], rate("queue", CLAIM.format(n=batch) + COMPLETE, "nexus.jobs", batch))
    print(f"queue  batch {batch:<4d} {best['queue']:9.0f} jobs/s, plain {best['plain']:9.0f} jobs/s, "
          f"ratio {best['queue'] / best['plain']:.2f}", flush=True)
psql("DROP TABLE plain_jobs; DROP SEQUENCE plain_token; TRUNCATE nexus.jobs")
