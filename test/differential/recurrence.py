#!/usr/bin/env python3
"""Random rules, expanded by this engine, by libical and by python-dateutil.

    test/differential/recurrence.py [COUNT [SEED]]       COUNT rules, 400 unless told; the seed is fixed unless told

Every rule is synchronised (DTSTART is its first instance) and bounded, so that RFC 5545 defines its set and every engine
can end. A third of the rules are in time zones: there the peers expand wall time and Python's zone rules (the first of
a repeated time, a skipped one moved forward) turn it into instants.

Neither peer is an oracle. FAULTS lists where each is known to differ from the RFC; it says why, and which rules it is
about. A difference that no fault of that peer covers fails the test, and so does a rule that neither peer confirms
unless faults of both cover it. How often each fault was met is printed: one that is never met over a long run is to be
taken out.
"""
import datetime
import json
import pathlib
import random
import signal
import subprocess
import sys
import zoneinfo

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent.parent / "build"
LIMIT = 30  # instances compared
PEER_LIMIT = LIMIT + 60  # the peers' wall times of a skipped hour fall on those of the next one
HORIZON = 16725225600  # 2500-01-01: libical ends in 2582
UTC = datetime.timezone.utc
ZONES = ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Asia/Kolkata"]
FREQUENCIES = ["SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"]
DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


def some(rng, values, most=4):
    return rng.sample(values, rng.randint(1, min(most, len(values))))


def random_parts(rng):
    """The parts of a rule that RFC 5545 allows, as a dict of texts."""
    frequency = rng.choices(FREQUENCIES, [1, 2, 2, 3, 4, 6, 6])[0]
    rank = FREQUENCIES.index(frequency)
    parts = {"FREQ": frequency}

    def maybe(probability, name, values, most=4):
        if rng.random() < probability:
            parts[name] = ",".join(map(str, some(rng, values, most)))

    if rng.random() < 0.5:
        parts["INTERVAL"] = str(rng.choice([2, 2, 3, 4, 5, 7, 12, 13]))
    maybe(0.25, "BYMONTH", range(1, 13))
    if frequency == "YEARLY":
        maybe(0.15, "BYWEEKNO", [1, 2, 20, 51, 52, 53, -1, -2, -53], 3)
    if frequency == "YEARLY" or rank < 3:
        maybe(0.1, "BYYEARDAY", [1, 2, 59, 60, 61, 100, 365, 366, -1, -2, -306, -366])
    if frequency != "WEEKLY":
        maybe(0.25, "BYMONTHDAY", [1, 2, 13, 15, 28, 29, 30, 31, -1, -2, -15, -30, -31])
    if rng.random() < 0.4:
        ordinal = frequency in ("MONTHLY", "YEARLY") and "BYWEEKNO" not in parts and rng.random() < 0.5
        ordinals = [1, 2, 3, 4, 5, -1, -2, -5] + ([20, 53, -53] if frequency == "YEARLY" and "BYMONTH" not in parts else [])
        days = some(rng, DAYS, 5)
        parts["BYDAY"] = ",".join((str(rng.choice(ordinals)) if ordinal else "") + day for day in days)
    if rank < 3 or rng.random() < 0.2:
        maybe(0.5, "BYHOUR", range(24), 6)
    if rank < 2 or rng.random() < 0.2:
        maybe(0.4, "BYMINUTE", range(0, 60, 5), 5)
    if rng.random() < 0.15:
        maybe(0.5, "BYSECOND", range(0, 60, 10), 3)
    if rng.random() < 0.3 and any(name.startswith("BY") for name in parts):
        parts["BYSETPOS"] = ",".join(map(str, some(rng, [1, 2, 3, 5, -1, -2, -3, -4], 2)))
    if rng.random() < 0.3:
        parts["WKST"] = rng.choice(DAYS)
    return parts


def text_of(parts):
    return ";".join(f"{name}={value}" for name, value in parts.items())


def basic(moment):
    return moment.strftime("%Y%m%dT%H%M%S")


def psql(queries):
    """The answers to queries that give one jsonb each, null where a query fails."""
    script = r"""
\set QUIET on
SET timezone = 'UTC';
SET statement_timeout = '10s';
CREATE FUNCTION pg_temp.answer(query text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE result jsonb;
BEGIN
  EXECUTE query INTO result;
  RETURN jsonb_build_object('is', result);
EXCEPTION WHEN OTHERS THEN
  RETURN jsonb_build_object('error', SQLERRM);
END $$;
""" + "".join(f"SELECT pg_temp.answer($q${query}$q$);\n" for query in queries)
    done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"], input=script, text=True, capture_output=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def make_cases(count, seed):
    rng = random.Random(seed)
    drafts = []
    while len(drafts) < 3 * count:
        start = datetime.datetime(rng.randint(1998, 2030), rng.randint(1, 12), rng.randint(1, 28), rng.randint(0, 23),
                                  rng.choice([0, 15, 30]), 0)
        parts = random_parts(rng)
        zoned = rng.random() < 0.33 and parts["FREQ"] != "SECONDLY"  # which has 3,600 wall times in a skipped hour
        drafts.append((parts, start, rng.choice(ZONES) if zoned else None))
    # The first instance becomes DTSTART; rules without one within ten years are left out.
    firsts = psql([f"SELECT to_jsonb(min(at)) FROM nexus.local_occurrences('{text_of(parts)}', '{start}', "
                   f"before => '{start + datetime.timedelta(days=3653)}', max_count => 1) AS at" for parts, start, _ in drafts])
    cases = []
    for (parts, _, zone), answer in zip(drafts, firsts, strict=True):
        if "error" in answer:
            sys.exit(f"{text_of(parts)}: {answer['error']}")
        if answer["is"] is None or len(cases) == count:
            continue
        start = datetime.datetime.fromisoformat(answer["is"])
        if rng.random() < 0.5:
            parts["COUNT"] = str(rng.randint(1, LIMIT))
        else:
            days = {"SECONDLY": 1, "MINUTELY": 5, "HOURLY": 60, "DAILY": 900}.get(parts["FREQ"], 9000)
            until = start + datetime.timedelta(days=rng.randint(1, days), seconds=rng.randint(0, 86399))
            parts["UNTIL"] = basic(until)
        cases.append((parts, start, zone))
    return cases


def ours(cases):
    queries = []
    for parts, start, zone in cases:
        if zone:
            call = f"nexus.occurrences('{text_of(parts)}', '{start}', '{zone}', max_count => {LIMIT})"
        else:
            call = f"nexus.local_occurrences('{text_of(parts)}', '{start}', max_count => {LIMIT})"
        queries.append(f"SELECT coalesce(jsonb_agg(extract(epoch FROM at)::bigint), '[]') FROM {call} AS at")
    return [answer.get("is", answer.get("error")) for answer in psql(queries)]


def instants(locals_, zone):
    """Wall times as seconds since 1970, each instant once."""
    tz = zoneinfo.ZoneInfo(zone) if zone else UTC
    return sorted({int(local.replace(tzinfo=tz, fold=0).astimezone(UTC).timestamp()) for local in locals_})[:LIMIT]


def libical(cases):
    BUILD.mkdir(exist_ok=True)
    program = BUILD / "recurrence_libical"
    subprocess.run(["cc", "-O2", "-Wall", "-o", program, HERE / "recurrence_libical.c", "-lical"], check=True)
    # It takes lists as they stand, so it gets them in order: what normalize_rrule() makes of the rule.
    canonical = psql([f"SELECT to_jsonb(nexus.normalize_rrule('{text_of(parts)}'))" for parts, _, _ in cases])
    lines = "".join(f"{basic(start)} {rule['is']} {PEER_LIMIT}\n" for (_, start, _), rule in zip(cases, canonical, strict=True))
    done = subprocess.run([program], input=lines, text=True, capture_output=True, check=True)
    answers = []
    for line, (_, _, zone) in zip(done.stdout.splitlines(), cases, strict=True):
        if line in ("refused", "gave up", "crashed"):
            answers.append(line)
        else:
            answers.append(instants([datetime.datetime.strptime(t, "%Y%m%dT%H%M%S") for t in line.split()], zone))
    return answers


def dateutil(cases):
    from dateutil.rrule import rrulestr

    def give_up(*_):
        raise TimeoutError

    signal.signal(signal.SIGALRM, give_up)
    answers = []
    for parts, start, zone in cases:
        signal.alarm(2)
        try:
            found = [at for _, at in zip(range(PEER_LIMIT), rrulestr(text_of(parts), dtstart=start))]
            answers.append(instants(found, zone))
        except TimeoutError:
            answers.append("gave up")
        except (ValueError, IndexError) as error:
            answers.append(f"refused: {error}")
        finally:
            signal.alarm(0)
    return answers


def numbers(parts, name):
    return [int(value) for value in parts.get(name, "").split(",") if value]


def times_are_lists(parts):
    return any("," in parts.get(name, "") for name in ("BYHOUR", "BYMINUTE", "BYSECOND"))


def filters_days(parts):
    return parts["FREQ"] in ("SECONDLY", "MINUTELY", "HOURLY", "DAILY")


# For each peer, what it does otherwise than RFC 5545, and whether a rule is of the kind that shows it.
FAULTS = {
    "libical": [
        ("BYSETPOS is dropped unless a MONTHLY or YEARLY rule has BYDAY, and then counts days where 3.3.10 counts instances",
         lambda p: "BYSETPOS" in p and (p["FREQ"] not in ("MONTHLY", "YEARLY") or "BYDAY" not in p or times_are_lists(p))),
        ("a negative BYMONTHDAY or BYYEARDAY limits nothing, or takes all away, where it limits days (3.3.10, table)",
         lambda p: filters_days(p) and min(numbers(p, "BYMONTHDAY") + numbers(p, "BYYEARDAY") + [0]) < 0),
        ("YEARLY with BYMONTHDAY and without BYMONTH keeps to DTSTART's month, where BYMONTHDAY expands (3.3.10, table)",
         lambda p: p["FREQ"] == "YEARLY" and "BYMONTHDAY" in p and "BYMONTH" not in p),
        ("a part that limits the unit FREQ counts (HOURLY with BYHOUR) makes DTSTART come twice and INTERVAL be lost",
         lambda p: {"HOURLY": "BYHOUR", "MINUTELY": "BYMINUTE", "SECONDLY": "BYSECOND"}.get(p["FREQ"]) in p),
        ("INTERVAL loses its phase where a part limits a coarser unit (MINUTELY with BYHOUR)",
         lambda p: "INTERVAL" in p and p["FREQ"] in ("MINUTELY", "SECONDLY") and bool({"BYHOUR", "BYMINUTE"} & set(p))),
        ("WEEKLY with INTERVAL counts its weeks from another day than WKST if that is not Monday",
         lambda p: p["FREQ"] == "WEEKLY" and "INTERVAL" in p and p.get("WKST", "MO") != "MO"),
        ("BYYEARDAY of a YEARLY rule is refused beside BYMONTH, and wrong beside BYDAY",
         lambda p: p["FREQ"] == "YEARLY" and "BYYEARDAY" in p and bool({"BYMONTH", "BYDAY"} & set(p))),
        ("BYWEEKNO is refused beside other parts, and wrong for negative weeks and at the edges of the year",
         lambda p: "BYWEEKNO" in p),
    ],
    "dateutil": [
        ("BYSETPOS of a WEEKLY rule counts in what DTSTART leaves of the first week, where 3.3.10 counts in the whole week",
         lambda p: p["FREQ"] == "WEEKLY" and "BYSETPOS" in p),
        ("BYWEEKNO without a part that says the day gives all seven, where 3.3.10 takes what is missing from DTSTART",
         lambda p: "BYWEEKNO" in p and not {"BYDAY", "BYMONTHDAY", "BYYEARDAY"} & set(p)),
        ("the first and the last week of a year are not those of ISO 8601 where they lie in two years, or come 52 times only",
         lambda p: bool({1, 52, 53, -1, -52, -53} & set(numbers(p, "BYWEEKNO")))),
    ],
}


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 5545
    cases = make_cases(count, seed)
    answers = ours(cases)
    peers = {"libical": libical(cases), "dateutil": dateutil(cases)}
    met = {(peer, why): 0 for peer in FAULTS for why, _ in FAULTS[peer]}
    alike = {peer: 0 for peer in peers}
    gave_up = {peer: 0 for peer in peers}
    failed = unconfirmed = 0
    for i, (parts, start, zone) in enumerate(cases):
        confirmed = excused = 0
        for peer, theirs in peers.items():
            if until_horizon(theirs[i]) == until_horizon(answers[i]):
                alike[peer] += 1
                confirmed += 1
                continue
            if theirs[i] in ("gave up", "crashed"):
                gave_up[peer] += 1
                excused += 1
                continue
            why = next((why for why, concerns in FAULTS[peer] if concerns(parts)), None)
            if why:
                met[peer, why] += 1
                excused += 1
                continue
            failed += 1
            at = next((n for n, pair in enumerate(zip(answers[i], theirs[i])) if pair[0] != pair[1]), LIMIT)
            print(f"{peer} differs: {start} {zone} {text_of(parts)}\n  ours   {shown(answers[i], at)}\n"
                  f"  theirs {shown(theirs[i], at)}")
        if not confirmed and excused == len(peers):
            unconfirmed += 1
    for (peer, why), times in met.items():
        print(f"  {peer}, {times} times: {why}")
    for peer in peers:
        print(f"  {peer}: {alike[peer]} of {len(cases)} alike, gave up or crashed {gave_up[peer]} times")
    print(f"  confirmed by neither, faults of both being in the way: {unconfirmed}")
    print(f"{len(cases) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def until_horizon(answer):
    return answer if isinstance(answer, str) else [at for at in answer if at < HORIZON]


def shown(answer, difference):
    """An answer from shortly before the difference on, in UTC."""
    if isinstance(answer, str):
        return answer
    begin = max(min(difference, len(answer)) - 2, 0)
    texts = [datetime.datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d/%H:%M:%S") for at in answer[begin:begin + 6]]
    return " ".join(["..."] * (begin > 0) + texts + [f"({len(answer)})"])


main()
