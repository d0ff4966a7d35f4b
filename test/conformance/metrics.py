"""Metrics: every file of vectors/metrics against the functions of 50-metrics to 52-metrics."""
import json
import math

from common import quote, report, run, vectors

FOLDER = "metrics/"


def literal(value, kind="numeric"):
    return f"NULL::{kind}" if value is None else f"'{value}'::{kind}"


def array(values, kind):
    return "ARRAY[" + ", ".join(literal(v, kind) for v in values) + f"]::{kind}[]"


def close(got, want, relative, absolute=None):
    if got is None or want is None:
        return got is None and want is None
    return math.isclose(got, want, rel_tol=relative, abs_tol=relative if absolute is None else absolute)


def same_time(a, b):
    return a is not None and a.replace("+00:00", "Z") == b


def exists(function):
    return run([f"SELECT to_jsonb(count(*) > 0) FROM pg_proc WHERE pronamespace = 'nexus'::regnamespace AND proname = "
                f"{quote(function)}"])[0]["value"]


def judge(name, function, statements_of, good_of):
    """One vector, one or more statements; the vector passes when the answers are good together."""
    cases = vectors(FOLDER + name)
    if not exists(function):
        report(FOLDER + name, 0, 0, len(cases))
        return
    statements, owners = [], []
    for number, case in enumerate(cases):
        for statement in statements_of(case):
            statements.append(statement)
            owners.append(number)
    answers = [[] for _ in cases]
    for owner, answer in zip(owners, run(statements, "SET timezone = 'UTC'; SET extra_float_digits = 3;")):
        answers[owner].append(answer)
    passed = failed = unsupported = 0
    for case, given in zip(cases, answers):
        if any(a.get("sqlstate") == "0A000" for a in given):
            unsupported += 1
        elif all("value" in a for a in given) and good_of(case, [a["value"] for a in given]):
            passed += 1
        else:
            failed += 1
    report(FOLDER + name, passed, failed, unsupported)


def bucket_tz():
    def statements(c):
        call = f"({quote(c['unit'])}, {quote(c['ts'])}::timestamptz, {quote(c['tz'])})"
        return [f"SELECT jsonb_build_array(nexus.local_bucket{call}, nexus.local_bucket_end{call}, "
                f"extract(epoch FROM nexus.local_bucket_end{call} - nexus.local_bucket{call}))"]

    def good(c, values):
        start, end, seconds = values[0]
        want = c["expect"]
        return same_time(start, want["start"]) and same_time(end, want["end"]) and seconds == want["seconds"]

    judge("bucket_tz.jsonl", "local_bucket", statements, good)


METRICS = ("views", "likes", "comments", "shares", "saves", "reach", "clicks", "watch_time_seconds")


def engagement():
    def statements(c):
        rows = ", ".join("(" + ", ".join(literal(r.get(m), "bigint") for m in METRICS) + ")" for r in c["rows"])
        source = f"(VALUES {rows}) r" if rows else "(SELECT " + ", ".join(["NULL::bigint"] * 8) + " WHERE false) r"
        followers = [r["followers"] for r in c["rows"] if r.get("followers") is not None]
        total = literal(sum(followers), "bigint") if followers else "NULL"
        return [f"SELECT to_jsonb(nexus.engagement_rate(nexus.metrics_agg({', '.join(METRICS)}), "
                f"{quote(c['denominator'])}, {quote(json.dumps(c['weights']))}::jsonb, {total})) "
                f"FROM {source}({', '.join(METRICS)})"]

    judge("engagement.jsonl", "engagement_rate", statements, lambda c, v: close(v[0], c["expect"], c["tol"]))


def counter():
    accessors = ("num_samples", "num_resets", "num_corrections", "num_changes", "delta", "rate",
                 "first_time", "first_value", "last_time", "last_value")

    def rows(c, numbers, kind):
        chosen = [c["rows"][i] for i in numbers]
        values = ", ".join(f"('{t}'::timestamptz, {literal(v, kind)}, {s}::bigint)" for t, v, s in chosen)
        return f"(VALUES {values}) r(ts, value, seq)" if values else \
            f"(SELECT NULL::timestamptz, NULL::{kind}, NULL::bigint WHERE false) r(ts, value, seq)"

    def statements(c):
        policy = c["policy"] + (f":{c['theta']}" if c["policy"] == "correction" else "")
        kind = "numeric" if any((r[1] or 0) >= 2**63 for r in c["rows"]) else "bigint"
        aggregate = f"nexus.counter_agg(ts, value, {quote(policy)}, seq)"
        read = "jsonb_build_array(" + ", ".join(f"nexus.{a}(s)" for a in accessors) + ")"
        whole = f"SELECT {aggregate} AS s FROM {rows(c, range(len(c['rows'])), kind)}"
        out = [f"SELECT {read} FROM ({whole}) x"]
        for order in (1, -1):
            parts = " UNION ALL ".join(f"SELECT {aggregate} AS s FROM {rows(c, p, kind)}" for p in c["partitions"][::order])
            out.append(f"SELECT {read} FROM (SELECT nexus.rollup(s) AS s FROM ({parts}) p) x")
        return out

    def good(c, values):
        want = c["expect"]
        for got in values:
            n, resets, corrections, changes, delta, rate, first_time, first, last_time, last = got
            if (n or 0, resets or 0, corrections or 0, changes or 0) != \
                    (want["n"], want["resets"], want["corrections"], want["changes"]):
                return False
            if delta != want["delta"] or not close(rate, want["rate"], 1e-12):
                return False
            for time, value, point in ((first_time, first, want["first"]), (last_time, last, want["last"])):
                if point is None and (time is not None or value is not None):
                    return False
                if point is not None and not (same_time(time, point[0]) and value == point[1]):
                    return False
        return True

    judge("counter.jsonl", "counter_agg", statements, good)


def counter_by_day():
    def statements(c):
        times = array([r[0] for r in c["rows"]], "timestamptz")
        values = array([r[1] for r in c["rows"]], "numeric")
        return ["SELECT jsonb_agg(jsonb_build_array(bucket, delta) ORDER BY bucket) FROM nexus.counter_by_bucket("
                f"{times}, {values}, 'day', {quote(c['tz'])}, {quote(c['policy'])}, {how})" for how in ("false", "true")]

    def good(c, values):
        step, curve = values
        want = c["expect"]
        if [[t.replace("+00:00", "Z"), v] for t, v in step] != want["step"]:
            return False
        return len(curve) == len(want["interpolated"]) and all(
            same_time(t, wt) and close(v, wv, 1e-9, 1e-6) for (t, v), (wt, wv) in zip(curve, want["interpolated"])) \
            and close(sum(v for _, v in curve), want["total"], 1e-9, 1e-6)

    judge("counter_by_day.jsonl", "counter_by_bucket", statements, good)


def growth():
    def statements(c):
        return [f"SELECT jsonb_build_array(g.ratio, g.status) FROM nexus.growth({literal(c['current'])}, {literal(c['previous'])}) g"]

    def good(c, values):
        ratio, status = values[0]
        return close(ratio, c["expect"], c["tol"]) and status == (None if c["status"] == "null" else c["status"])

    judge("growth.jsonl", "growth", statements, good)


def moving_average():
    def statements(c):
        days = array([d for d, _ in c["series"]], "date")
        values = array([v for _, v in c["series"]], "float8")
        average = ["SELECT jsonb_agg(jsonb_build_array(day, value) ORDER BY day) FROM nexus.moving_average("
                   f"{days}, {values}, {c['window_days']}, '{gaps}')" for gaps in ("skip", "zero")]
        return average + [f"SELECT to_jsonb(nexus.ewma({values}, 2::float8 / ({c['window_days']} + 1)))"]

    def good(c, values):
        want = c["expect"]
        for got, rows in ((values[0], want["skip_gaps"]), (values[1], want["zero_gaps"])):
            if [d for d, _ in got] != [d for d, _ in rows]:
                return False
            if not all(close(g, w, c["tol"]) for (_, g), (_, w) in zip(got, rows)):
                return False
        rows = [v for _, v in want["ewma_rows"]]
        return len(values[2]) == len(rows) and all(close(g, w, c["tol"]) for g, w in zip(values[2], rows))

    judge("moving_average.jsonl", "moving_average", statements, good)


def anomaly():
    def statements(c):
        return ["SELECT jsonb_agg(jsonb_build_array(index, zscore, is_anomaly) ORDER BY index) FROM nexus.anomalies("
                f"{array(c['values'], 'float8')}, {c['threshold']})"]

    def good(c, values):
        want = c["expect"]
        rows = values[0] or []
        return [r[0] for r in rows] == list(range(1, len(c["values"]) + 1)) \
            and all(close(r[1], z, c["tol"]) for r, z in zip(rows, want["z"])) \
            and [r[0] - 1 for r in rows if r[2]] == want["flagged"]

    judge("anomaly.jsonl", "anomalies", statements, good)


def heatmap():
    def statements(c):
        at = array([r[0] for r in c["rows"]], "timestamptz")
        engagements = array([r[1] for r in c["rows"]], "bigint")
        views = array([r[2] for r in c["rows"]], "bigint")
        return ["SELECT jsonb_agg(jsonb_build_array(dow, hour, engagements, views, posts, engagement_rate) ORDER BY dow, hour) "
                f"FROM nexus.heatmap({at}, {engagements}, {views}, {quote(c['tz'])})"]

    def good(c, values):
        got = values[0] or []
        return len(got) == len(c["expect"]) and all(
            g[:5] == w[:5] and close(g[5], w[5], 1e-12) for g, w in zip(got, sorted(c["expect"], key=lambda r: r[:2])))

    judge("heatmap.jsonl", "heatmap", statements, good)


def percentile():
    def statements(c):
        values = array(c["values"], "float8")
        read = "jsonb_build_array(" + ", ".join(f"nexus.quantile(s, {q})" for q in c["q"]) + ")"
        return [f"SELECT {read} FROM (SELECT nexus.quantile_agg(v) AS s FROM unnest({values}) v) x"]

    def good(c, values):
        data = sorted(c["values"])
        n = len(data)
        for q, got, want in zip(c["q"], values[0], c["expect"]):
            if n <= 100 or q in (0, 1):
                if not close(got, want, 1e-9):
                    return False
                continue
            eps = c["bounds"]["rank_eps_tail" if q <= 0.01 or q >= 0.99 else "rank_eps_mid"]
            below, upto = sum(v < got for v in data) / n, sum(v <= got for v in data) / n
            if upto < q - eps or below > q + eps:
                return False
        return True

    judge("percentile.jsonl", "quantile_agg", statements, good)


def distinct():
    def rows(ranges):
        return " UNION ALL ".join(f"SELECT {start} + i * {step}::bigint AS id FROM generate_series(0, {count} - 1) i"
                                  for start, count, step in ranges)

    def statements(c):
        if c["fn"] == "distinct_union":
            states = ", ".join(f"(SELECT nexus.distinct_agg(id) FROM ({rows(c[part])}) r)" for part in "ab")
            return [f"SELECT to_jsonb(nexus.distinct_count(nexus.distinct_union({states})))"]
        return [f"SELECT to_jsonb(nexus.distinct_count(nexus.distinct_agg({value}, {size}))) FROM ({rows(c['ranges'])}) r"
                for size in (11, 14) for value in ("id", "id::text")]

    def near(got, want, limit):
        return (got or 0) == want if want <= 100 else abs(got - want) <= limit * want

    def good(c, values):
        if c["fn"] == "distinct_union":
            return near(values[0], c["expect"]["union"], c["rel_tol_union"]["log2m14"])
        limits = [c["rel_tol"][size] for size in ("log2m11", "log2m11", "log2m14", "log2m14")]
        return all(near(got, c["expect"], limit) for got, limit in zip(values, limits))

    judge("distinct.jsonl", "distinct_agg", statements, good)


def topk():
    def statements(c):
        rows = ", ".join(f"({i}::bigint, {w}::bigint)" for i, w in c["rows"])
        return [f"SELECT jsonb_agg(jsonb_build_array(t.key::bigint, t.weight)) FROM (SELECT nexus.topk_agg(i, w, {c['k']}) AS s "
                f"FROM (VALUES {rows}) r(i, w)) x, nexus.topk(x.s) t"]

    judge("topk.jsonl", "topk_agg", statements, lambda c, v: v[0] == c["expect"])


def main():
    for check in (bucket_tz, engagement, counter, counter_by_day, growth, moving_average, anomaly, heatmap, percentile,
                  distinct, topk):
        check()
    # Upkeep of rollups in general; its table is not ours, so it is not scored.
    report(FOLDER + "ingest_rollup.jsonl", 0, 0, len(vectors(FOLDER + "ingest_rollup.jsonl")))


main()
