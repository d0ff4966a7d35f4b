#!/usr/bin/env python3
"""The queue against pg-boss (npm): jobs per second in batches of 50, both from node with 4 connections, best of three
runs that take turns. Left out where npm is not reachable.

  pg-boss 10.3.2  batch 50      9000 jobs/s, queue     36000 jobs/s, ratio 4.00
"""
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
RUN = HERE.parent.parent / ".run" / "bench-peers"

RUN.mkdir(parents=True, exist_ok=True)
try:
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", RUN, "pg-boss@10", "pg@8"], check=True, timeout=300)
except (OSError, subprocess.SubprocessError) as error:
    print(f"  pg-boss is left out: {error}", file=sys.stderr)
    sys.exit(0)
best = {"pg-boss": 0.0, "queue": 0.0}
for _ in range(3):
    for name in best:
        done = subprocess.run(["node", HERE / "workflow_pgboss.mjs", name], cwd=RUN, text=True, stdout=subprocess.PIPE, check=True)
        best[name] = max(best[name], float(done.stdout))
version = json.loads((RUN / "node_modules" / "pg-boss" / "package.json").read_text())["version"]
print(f"pg-boss {version}  batch 50 {best['pg-boss']:9.0f} jobs/s, queue {best['queue']:9.0f} jobs/s, ratio {best['queue'] / best['pg-boss']:.2f}")
