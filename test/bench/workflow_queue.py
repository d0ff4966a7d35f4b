#!/usr/bin/env python3
"""The queue against plain SKIP LOCKED SQL: jobs per second, claimed and completed in two durable transactions, by pgbench
with 4 clients. The two take turns in one run, and what counts is the ratio. The plain one is a table with the same
columns, fencing and pinned plans (by primary key, never by an index over leases), one ready index, and neither priorities over lanes, fairness, state machine nor limits.
Beside the best rate of each stands the CPU time that its backends took for a job, over all rounds: one by one the disk's flushes make
up most of the time, and they vary more from round to round than the two differ.

  queue  batch 50    12345 jobs/s, plain 12000 jobs/s, ratio 1.03; CPU 60 us/job, plain 66 us/job, ratio 0.91
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

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


def ended_backends():
    """CPU seconds of the server's processes that have ended: the parent of a backend counts them, a moment later."""
    time.sleep(0.3)
    backend = psql("SELECT pg_read_file('/proc/' || pg_backend_pid() || '/stat')")
    parent = backend.rsplit(")", 1)[1].split()[1]
    fields = pathlib.Path(f"/proc/{parent}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def run(name, script, table, batch):
    """Jobs per second that ended as done, and CPU seconds, and how many they are."""
    count = int(float(SECONDS) * (4000 if batch == 1 else 120000))
    psql(f"TRUNCATE {table}")
    psql(FILL.format(table=table, count=count, account="i % 5000 + 1"))
    psql(f"VACUUM (FREEZE, ANALYZE) {table}")
    psql("CHECKPOINT")
    before = ended_backends()
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        out = subprocess.run(
            ["pgbench", "-n", "-M", "prepared", "-c", CLIENTS, "-j", "2", "-T", SECONDS, "-f", file.name],
            check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(os.environ, PGOPTIONS="-c enable_hashjoin=off -c enable_mergejoin=off -c enable_seqscan=off -c plan_cache_mode=force_generic_plan"
                     if name == "plain" else "")).stdout
    cpu = ended_backends() - before
    seconds = float(re.search(r"number of transactions actually processed: (\d+)", out).group(1)) / float(
        re.search(r"tps = ([0-9.]+)", out).group(1))
    done = int(psql(f"SELECT count(*) FROM {table} WHERE state = 'done'"))
    if done >= count:
        sys.exit(f"{name}: {count} jobs were too few")
    return done / seconds, cpu, done


psql(PLAIN)
for batch in map(int, os.environ.get("NEXUS_BENCH_BATCHES", "1 50 500").split()):
    rate = {"plain": 0.0, "queue": 0.0}
    cpu = {"plain": 0.0, "queue": 0.0}
    jobs = {"plain": 0, "queue": 0}
    for _ in range(ROUNDS):
        for name, script, table in (("plain", (CLAIM_PLAIN + COMPLETE_PLAIN).format(n=batch), "plain_jobs"),
                                    ("queue", CLAIM.format(n=batch) + COMPLETE, "nexus.jobs")):
            got, seconds, done = run(name, script, table, batch)
            rate[name] = max(rate[name], got)
            cpu[name] += seconds
            jobs[name] += done
    each = {name: 1e6 * cpu[name] / jobs[name] for name in cpu}
    print(f"queue  batch {batch:<4d} {rate['queue']:9.0f} jobs/s, plain {rate['plain']:9.0f} jobs/s, ratio {rate['queue'] / rate['plain']:.2f}; "
          f"CPU {each['queue']:.0f} us/job, plain {each['plain']:.0f} us/job, ratio {each['queue'] / each['plain']:.2f}", flush=True)
psql("DROP TABLE plain_jobs; DROP SEQUENCE plain_token; TRUNCATE nexus.jobs")
