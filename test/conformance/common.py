"""What the conformance runners share: vectors in, one psql session, a line of counts per file out."""
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
VECTORS = pathlib.Path(os.environ.get("NEXUS_VECTORS", ROOT.parent / "shared" / "vectors"))

TRY = """
CREATE FUNCTION pg_temp.try(statement text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE answer jsonb; state text; said text;
BEGIN
  EXECUTE statement INTO answer;
  RETURN jsonb_build_object('value', answer);
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT;
  RETURN jsonb_build_object('sqlstate', state, 'message', said);
END $$;
"""


def quote(value):
    """A SQL literal (NULL for None); for the runners' own statements only."""
    if value is None:
        return "NULL"
    return "E'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def text_array(values):
    return "ARRAY[" + ", ".join(quote(v) for v in values) + "]::text[]"


def vectors(path):
    with open(VECTORS / path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def run(statements, setup=""):
    """Runs each SELECT (which gives one jsonb) on its own; returns {"value": ...} or {"sqlstate", "message"} for each."""
    script = [r"\set QUIET on", "SET client_min_messages = error;", "SET statement_timeout = '10s';", setup, TRY]
    script += [f"SELECT pg_temp.try({quote(s)});" for s in statements]
    done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"], input="\n".join(script), text=True,
                          encoding="utf-8", capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"psql failed: {done.stderr.strip()[:2000]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def report(path, passed, failed, unsupported=0):
    print(f"{path}: {passed} passed, {failed} failed, {unsupported} unsupported", flush=True)
