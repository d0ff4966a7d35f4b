"""integrity/*.sql: bad and good writes, each in a fresh copy of the database, as the bridge's real login with a user's claims."""
import os
import re
import subprocess
import sys

import common

TOOL = os.path.join(os.environ.get("NEXUS_TOOLS", common.ROOT.parent / "shared" / "tools"), "run_integrity_cases.py")
IDENTITY = """SET ROLE nexus_app; SELECT set_config('request.jwt.claims', '{"sub":"{u}"}', false)"""

# What a case is refused with when it never came to its rule.
WRONG_REASON = {"42703", "42883", "42P01", "42601"}


def main():
    cases = common.VECTORS / "integrity" / "dev_cases.sql"
    fixtures = common.VECTORS / "integrity" / "dev_fixtures.sql"
    done = subprocess.run(
        [sys.executable, TOOL, "--from", os.environ["PGDATABASE"], "--owner", os.environ["PGUSER"], "--fixtures",
         str(fixtures), "--app", "nexus_bridge", "--identity", IDENTITY, "-v", str(cases)],
        text=True, encoding="utf-8", capture_output=True, check=False)
    outcomes = re.findall(r"^(ok|FAIL|SKIP) +(\S+) (?:\S+ (\S+))?", done.stdout, re.M)
    if not outcomes:  # the fixtures did not load, or the identity was refused
        print(done.stdout + done.stderr, file=sys.stderr)
        common.report("integrity/dev_cases.sql", 0, 1)
        common.report("integrity/dev_fixtures.sql", 0, 1)
        return
    for line in done.stdout.splitlines():  # each case with its SQLSTATE
        if re.match(r"(ok|FAIL|SKIP) ", line):
            print(line, file=sys.stderr)
    failed = sum(1 for verdict, _, state in outcomes if verdict == "FAIL" or state in WRONG_REASON)
    skipped = sum(1 for verdict, _, _ in outcomes if verdict == "SKIP")
    common.report("integrity/dev_cases.sql", len(outcomes) - failed - skipped, failed, skipped)
    common.report("integrity/dev_fixtures.sql", 0, 0)  # loaded, not scored


main()
