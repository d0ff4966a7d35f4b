#!/usr/bin/env python3
"""The HTTP cases of vectors/bridge against a bridge on a database made from their fixture.

Each group of cases names the settings it needs; the bridge is started anew with each of them, and the fixture is loaded
anew before. A failed case counts as unsupported only by these rules:
  outside      the path is neither / nor /rpc/...: the bridge serves functions, no tables
  embedding    the select parameter embeds other tables and the answer was 400: refused as not supported
  settings     the case needs a setting that the bridge does not have
Cases whose key or file is not kept are left out by the runner of the cases and count as unsupported as well."""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from common import ROOT, VECTORS, report

TOOLS = os.environ.get("NEXUS_TOOLS", str(ROOT.parent / "shared" / "tools"))
RUNNER = os.path.join(TOOLS, "run_http_cases.py")
BRIDGE = os.environ.get("NEXUS_BRIDGE", str(ROOT / "build" / "dev" / "bridge" / "creatornexus-bridge"))
DATABASE = "bridge_cases"
BASE = {
    "NEXUS_DB_SCHEMAS": "test",
    "NEXUS_DB_ANON_ROLE": "postgrest_test_anonymous",
    "NEXUS_DB_PRE_REQUEST": "test.switch_role",
    "NEXUS_DB_TX_END": "rollback-allow-override",
    "NEXUS_JWT_SECRET": "reallyreallyreallyreallyverysafe",
    "NEXUS_SERVER_TIMING_ENABLED": "true",
    "NEXUS_APP_SETTINGS_APP_HOST": "localhost",
    "NEXUS_APP_SETTINGS_EXTERNAL_API_SECRET": "0123456789abcdef",
    "NEXUS_LOG_LEVEL": "warn",
}
TX_ENDS = {("True", "True"): "rollback-allow-override", ("True", "False"): "commit-allow-override",
           ("False", "True"): "rollback", ("False", "False"): "commit"}


def listed(text):
    """The strings of a Haskell list such as [ "a" , "b"c" ]."""
    inner = text[text.index("[") + 1:text.rindex("]")].strip()
    return [part.strip().removeprefix('"').removesuffix('"') for part in inner.split(" , ")]


def quoted(text):
    return re.search(r'"(.*)"', text).group(1)


def settings_of(config):
    """The environment for a case's settings, or None when one of them has no counterpart."""
    env = dict(BASE)
    tx = {"configDbTxAllowOverride": "True", "configDbTxRollbackAll": "True"}
    for name, value in config.items():
        if name in tx:
            tx[name] = value
        elif name == "configDbExtraSearchPath":
            env["NEXUS_DB_EXTRA_SEARCH_PATH"] = ",".join(listed(value))
        elif name == "configDbSchemas":
            env["NEXUS_DB_SCHEMAS"] = ",".join(listed(value))
            env["NEXUS_DB_PRE_REQUEST"] = ""
        elif name == "configServerTraceHeader":
            env["NEXUS_SERVER_TRACE_HEADER"] = quoted(value)
        elif name == "configServerCorsAllowedOrigins":
            env["NEXUS_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(listed(value))
        elif name == "configJwtAudience":
            env["NEXUS_JWT_AUD"] = quoted(value)
        elif name == "configJwtSecret" and value == "Nothing":
            env["NEXUS_JWT_SECRET"] = ""
        elif name == "configOpenApiMode":
            env["NEXUS_OPENAPI_MODE"] = {"OAFollowPriv": "follow-privileges", "OAIgnorePriv": "ignore-privileges",
                                         "OADisabled": "disabled"}[value]
        elif name == "configDbRootSpec":
            env["NEXUS_DB_ROOT_SPEC"] = ".".join(re.findall(r'"(.*?)"', value))
        elif name == "configDbAnonRole" and value == "Nothing":
            env["NEXUS_DB_ANON_ROLE"] = ""
        elif name == "configDbPreRequest":
            env["NEXUS_DB_PRE_REQUEST"] = ".".join(re.findall(r'"(.*?)"', value))
        elif name == "configDbPreConfig":
            env["NEXUS_DB_PRE_CONFIG"] = ".".join(re.findall(r'"(.*?)"', value))
        elif name == "configDbPreparedStatements":
            env["NEXUS_DB_PREPARED_STATEMENTS"] = value.lower()
        elif name not in ("configJWKS", "configJwtSecret", "configJwtCacheMaxEntries"):  # the cache changes no answer
            return None
    env["NEXUS_DB_TX_END"] = TX_ENDS[(tx["configDbTxAllowOverride"], tx["configDbTxRollbackAll"])]
    return env


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def load_fixture():
    quiet = {"check": True, "stdout": subprocess.DEVNULL}
    subprocess.run(["dropdb", "--if-exists", "--force", DATABASE], stderr=subprocess.DEVNULL, **quiet)
    subprocess.run(["createdb", "-T", "template0", "-E", "UTF8", DATABASE], **quiet)
    subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", DATABASE, "-f", str(VECTORS / "bridge/fixture.sql")],
                   **quiet)


class Bridge:
    """A running bridge with the given environment; .url is where it listens."""

    def __init__(self, env):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        uri = f"host={os.environ['PGHOST']} dbname={DATABASE} user=bridge_authenticator password=bridge_authenticator"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("NEXUS_", "PG"))}
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([BRIDGE], stderr=self.log,
                                        env={**clean, **env, "NEXUS_DB_URI": uri, "NEXUS_SERVER_PORT": str(port)})

    def __enter__(self):
        for _ in range(200):
            try:
                urllib.request.urlopen(self.url + "/ready", timeout=1).close()
                return self
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        self.process.kill()
        self.log.seek(0)
        raise SystemExit("the bridge did not become ready:\n" + self.log.read().decode()[-2000:])

    def __exit__(self, *_):
        self.process.terminate()
        status = self.process.wait(timeout=40)
        if status != 0:
            self.log.seek(0)
            raise SystemExit(f"the bridge ended with {status}:\n" + self.log.read().decode()[-4000:])


def unsupported(case, failure):
    statuses = [re.match(r"status (\d+)", reason) for reason in failure["reasons"]]
    status = next((m.group(1) for m in statuses if m), None)
    path = case["request"]["path"]
    if path.split("?")[0] != "/" and not path.startswith("/rpc/"):
        return True
    return status == "400" and bool(re.search(r"select=[^&]*\(", path))


def run_file(path, config_id, url):
    done = subprocess.run([sys.executable, RUNNER, url, path, "--config-filter", config_id, "--json"],
                          capture_output=True, text=True, check=False)
    if not done.stdout:
        raise SystemExit(f"{RUNNER} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def main():
    if not os.path.exists(BRIDGE):
        for command in (["cmake", "--preset", "dev"],
                        ["cmake", "--build", "--preset", "dev", "--target", "creatornexus-bridge"]):
            subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    files = sorted((VECTORS / "bridge").glob("*.jsonl"))
    cases = {path: [json.loads(line) for line in open(path, encoding="utf8") if line.strip()] for path in files}
    listing = subprocess.run([sys.executable, RUNNER, "--list-configs", *map(str, files)], capture_output=True,
                             text=True, check=True).stdout
    configs = {}
    for line in listing.splitlines():
        config_id, _, config = line.split(None, 2)
        configs[json.dumps(json.loads(config), sort_keys=True)] = config_id
    counts = {path: {"passed": 0, "failed": 0, "unsupported": 0} for path in files}
    run_ids = {path: set() for path in files}
    for config, config_id in configs.items():
        wanted = [p for p in files if any(json.dumps(c["config"], sort_keys=True) == config for c in cases[p])]
        env = settings_of(json.loads(config))
        if env is None:
            continue
        load_fixture()
        with Bridge(env) as bridge:
            for path in wanted:
                by_id = {case["id"]: case for case in cases[path]}
                result = run_file(str(path), config_id, bridge.url)
                skipped = {entry["id"] for entry in result["skipped"]}
                run_ids[path] |= set(by_id) - skipped
                counts[path]["passed"] += result["total"]["passed"]
                for failure in result["failed"]:
                    kind = "unsupported" if unsupported(by_id[failure["id"]], failure) else "failed"
                    counts[path][kind] += 1
                    if kind == "failed" and os.environ.get("CONFORMANCE_VERBOSE"):
                        print(f"  {failure['id']} {failure['method']} {failure['path']}: {failure['reasons']}",
                              file=sys.stderr)
    for path in files:
        left_out = sum(case["id"] not in run_ids[path] for case in cases[path])
        count = counts[path]
        report(f"bridge/{path.name}", count["passed"], count["failed"], count["unsupported"] + left_out)
    for name in sorted(p.name for p in (VECTORS / "bridge").iterdir() if p.suffix != ".jsonl"):
        print(f"bridge/{name}: not scored (no cases)")


if __name__ == "__main__":
    main()
