#!/usr/bin/env python3
"""Text, validation and JSON Schema beside their peers, in one run on one core, in CPU time: how many times as fast.
With the argument jsonschema: only that.

Peers are optional: npm's twitter-text (installed below .run where npm is reachable) and valijson (libvalijson-dev).
One that is missing is named and left out. The core's own figures come from build/bench/text_bench and validation_bench.
"""
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
RUN = TOP / ".run" / "bench-peers"
RULES = """COPY (SELECT platform, rule_id, field, COALESCE(content_type, ''), COALESCE(when_media, ''), kind, COALESCE(unit, ''),
  COALESCE(min::text, ''), COALESCE(max::text, ''), severity, source,
  COALESCE(CASE jsonb_typeof(params) WHEN 'array' THEN (SELECT string_agg(e, chr(31)) FROM jsonb_array_elements_text(params) e)
    WHEN 'string' THEN params #>> '{}' END, '')
  FROM nexus.platform_rules WHERE COALESCE(valid_from, current_date) <= current_date
    AND COALESCE(valid_to, current_date) >= current_date ORDER BY platform, rule_id) TO STDOUT"""
SCHEMA = {"type": "object", "required": ["campaign", "language", "media"], "additionalProperties": False, "properties": {
    "campaign": {"type": "string", "minLength": 1, "maxLength": 80}, "language": {"type": "string", "maxLength": 12},
    "priority": {"type": "integer", "minimum": 0, "maximum": 9}, "budget": {"type": "number", "minimum": 0},
    "sponsored": {"type": "boolean"}, "audience": {"enum": ["all", "followers", "members"]},
    "tags": {"type": "array", "maxItems": 30, "items": {"type": "string", "maxLength": 40}},
    "media": {"type": "object", "required": ["width", "height"], "properties": {
        "width": {"type": "integer", "minimum": 1}, "height": {"type": "integer", "minimum": 1},
        "alt": {"type": "string", "maxLength": 1000}}},
    "note": {"type": ["string", "null"]}, "links": {"type": "array", "items": {"type": "string", "maxLength": 200}}}}


def skip(what, why):
    print(f"  {what} is left out: {why}", file=sys.stderr)


def psql(query):
    done = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1"], input=query, text=True, capture_output=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stdout


def core(program):
    """Posts per CPU second of each benchmark of a program."""
    rules = RUN / "rules.tsv"
    rules.write_text(psql(RULES), encoding="utf-8")
    done = subprocess.run([TOP / "build/bench" / program, "--benchmark_format=json", "--benchmark_min_time=0.3",
                           "--benchmark_repetitions=5", "--benchmark_report_aggregates_only=true"],
                          cwd=TOP, text=True, capture_output=True, check=True, env=os.environ | {"NEXUS_BENCH_RULES": str(rules)})
    return {b["run_name"]: b["items_per_second"] for b in json.loads(done.stdout)["benchmarks"] if b["aggregate_name"] == "median"}


def twitter_text(posts):
    if not (RUN / "node_modules/twitter-text").exists():
        try:
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "twitter-text@3.1.0"], cwd=RUN, check=True,
                           capture_output=True, timeout=120)
        except (OSError, subprocess.SubprocessError):
            return skip("twitter-text", "npm cannot install it here")
    done = subprocess.run(["node", HERE / "text_peers.mjs", HERE / posts], cwd=RUN, text=True, capture_output=True, check=True)
    return {name: float(rate) for name, rate, _ in map(str.split, done.stdout.splitlines())}


def documents():
    for i in range(1000):
        yield {"campaign": f"summer {i}", "language": "en", "priority": i % 10, "budget": i / 4, "sponsored": i % 2 == 0,
               "audience": "followers", "tags": ["video", "editing", "travel"],
               "media": {"width": 1080, "height": 1920, "alt": "a boat in the harbour"}, "note": None,
               "links": ["https://example.com/a"]}


def valijson(lines):
    if not pathlib.Path("/usr/include/valijson/validator.hpp").exists():
        return skip("valijson", "the package libvalijson-dev is not installed")
    program = RUN / "valijson"
    subprocess.run(["c++", "-std=c++17", "-O2", "-DNDEBUG", "-DVALIJSON_USE_EXCEPTIONS=1", "-o", program,
                    HERE / "jsonschema_valijson.cpp"], check=True)
    done = subprocess.run([program], input="\n".join(lines), text=True, capture_output=True, check=True)
    parsed, from_text, valid = map(float, done.stdout.split())
    assert valid == 1, "valijson refuses the documents"
    return parsed, from_text


def jsonschema(lines):
    """Documents per CPU second over stored jsonb, in the backend; what reading the rows costs is taken off. Then the same
    of the server's own functions on jsonb: what a call costs that does nearly nothing."""
    rows = ",".join(f"($q${line}$q$::jsonb)" for line in lines[1:])
    output = psql(f"""SET jit = off; SET max_parallel_workers_per_gather = 0;
        CREATE TEMP TABLE documents AS SELECT d FROM (VALUES {rows}) v(d), generate_series(1, 50);
        CREATE FUNCTION pg_temp.cpu(query text) RETURNS float8 LANGUAGE plpgsql AS $$
        DECLARE started bigint; used float8[];
        BEGIN
          FOR i IN 1..5 LOOP
            started := split_part(pg_read_file('/proc/self/schedstat'), ' ', 1);
            EXECUTE query;
            used := used || (split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint - started) / 1e9::float8;
          END LOOP;
          RETURN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY u) FROM unnest(used) u);
        END $$;
        SELECT count(*) FROM documents WHERE NOT nexus.jsonschema_valid($q${lines[0]}$q$, d);
        CREATE FUNCTION pg_temp.rate(expression text) RETURNS float8 LANGUAGE sql AS $$
          SELECT 50000 / (pg_temp.cpu(format('SELECT count(%s) FROM documents', expression))
            - pg_temp.cpu('SELECT count(d) FROM documents')) $$;
        SELECT pg_temp.rate($c$nexus.jsonschema_valid($q${lines[0]}$q$, d)$c$);
        SELECT pg_temp.rate('jsonb_typeof(d)');
        SELECT pg_temp.rate($c$d ? 'campaign'$c$);
        SELECT pg_temp.rate('d::text');""")
    invalid, *rates = output.split()
    assert invalid == "0", "jsonschema_valid refuses the documents"
    return map(float, rates)


def beside(what, ours, peer, theirs):
    print(f"{what:30} {ours:12,.0f}/s   {peer} {theirs:10,.0f}/s   {ours / theirs:6.1f}x")


def jsonschema_beside():
    lines = [json.dumps(SCHEMA), *map(json.dumps, documents())]
    ours, type_of, has_key, to_text = jsonschema(lines)
    theirs = valijson(lines)
    if theirs:
        beside("jsonschema_valid, jsonb", ours, "valijson, parsed before", theirs[0])
        beside("jsonschema_valid, jsonb", ours, "valijson, from text", theirs[1])
    else:
        print(f"jsonschema_valid, jsonb {ours:12,.0f}/s")
    for what, rate in (("jsonb_typeof(d)", type_of), ("d ? 'campaign'", has_key), ("d::text", to_text)):
        print(f"{what:30} {rate:12,.0f}/s   its time is {100 * ours / rate:5.1f} % of that of jsonschema_valid")


def main():
    RUN.mkdir(parents=True, exist_ok=True)
    if sys.argv[1:] == ["jsonschema"]:
        return jsonschema_beside()
    text, validation = core("text_bench"), core("validation_bench")
    for posts in ("ascii", "mixed"):
        peer = twitter_text(f"posts_{posts}.txt")
        if peer:
            beside(f"text_stats {posts}", text[f"stats_of/{posts}"], "parseTweet", peer["parseTweet"])
            beside(f"entities {posts}", text[f"entities_of/x_{posts}"], "extractEntitiesWithIndices",
                   peer["extractEntitiesWithIndices"])
            beside(f"validate for x, {posts}", validation[f"validate/x_{posts}"], "parseTweet", peer["parseTweet"])
        print(f"{'validate for all, ' + posts:30} {validation[f'validate/all_{posts}']:12,.0f}/s")
    jsonschema_beside()


if __name__ == "__main__":
    os.environ.setdefault("PGDATABASE", "nexus")
    main()
