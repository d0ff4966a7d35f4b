#!/usr/bin/env python3
"""recurrence/*.jsonl: expansions against the vectors' lists, invalid rules against a refusal that names the part.

Vectors on which the engines of the world disagree and that nothing has settled are counted on a line of their own.
"""
import datetime
import re
import zoneinfo

from common import quote, report, run, text_array, vectors

SETUP = "SET timezone = 'UTC';"


def timestamps(values):
    return "ARRAY[" + ", ".join(quote(v) for v in values) + "]::timestamp[]"


def instant(local, tzid):
    """A wall time of the vectors as timestamptz, by Python's zone rules (the first of a repeated time)."""
    if local is None:
        return "NULL::timestamptz"
    at = datetime.datetime.fromisoformat(local).replace(tzinfo=zoneinfo.ZoneInfo(tzid), fold=0)
    return quote(at.astimezone(datetime.timezone.utc).isoformat()) + "::timestamptz"


def epoch(text):
    """Floating times compare as if they were UTC."""
    at = datetime.datetime.fromisoformat(text)
    if at.tzinfo is None:
        at = at.replace(tzinfo=datetime.timezone.utc)
    return int(at.timestamp())


def expansion(v):
    sets = f"rdate => {timestamps(v['rdate'])}, exdate => {timestamps(v['exdate'])}, exrule => {text_array(v['exrule'])}"
    inclusive = "true" if v["inclusive"] else "false"
    limit = "NULL" if v["limit"] is None else v["limit"]
    if v["tzid"] is None:
        call = (f"nexus.local_occurrences({quote(v['rrule'])}, {quote(v['dtstart'])}, {quote(v['after'])}, "
                f"{quote(v['before'])}, inclusive => {inclusive}, max_count => {limit}, {sets})")
    else:
        call = (f"nexus.occurrences({quote(v['rrule'])}, {quote(v['dtstart'])}, {quote(v['tzid'])}, "
                f"{instant(v['after'], v['tzid'])}, {instant(v['before'], v['tzid'])}, "
                f"inclusive => {inclusive}, max_count => {limit}, {sets})")
    return f"SELECT coalesce(jsonb_agg(extract(epoch FROM at)::bigint), '[]') FROM {call} at"


def expansions(path):
    cases = vectors(path)
    answers = run([expansion(v) for v in cases], SETUP)
    counts = {False: [0, 0, 0], True: [0, 0, 0]}
    for v, answer in zip(cases, answers, strict=True):
        open_dispute = bool(v.get("disputed")) and not v.get("resolved")
        if answer.get("sqlstate") in ("0A000", "42883"):
            column = 2
        else:
            column = 0 if answer.get("value") == [epoch(e) for e in v["expected"]] else 1
        counts[open_dispute][column] += 1
        if column and not open_dispute:
            print(f"  {v['id']}: {v['dtstart']} {v['tzid']} {v['rrule']}: {answer.get('message', 'another list')}")
    report(path, *counts[False])
    report(path + " (disputed)", *counts[True])


def part_at_fault(v):
    """What the message must name: the part in the vector's reason, else one that the rule repeats or gets wrong."""
    if "zone" in v["reason"]:
        return ["time zone"]
    if v["reason"].startswith("leading"):
        return ["empty part"]
    if "BYDAY=MO;TU" in v["rrule"]:
        return ["TU"]  # read as a part of that name
    names = re.findall(r"\b(?:BY[A-Z]+|FREQ|COUNT|UNTIL|INTERVAL|WKST|RSCALE|SKIP)\b", v["reason"])
    return names or re.findall(r"(?:^|[;,:])([^=;]+)=?", v["rrule"])


def invalid(path):
    cases = vectors(path)
    statements = []
    for v in cases:
        if v["tzid"] is None:
            call = f"nexus.local_occurrences({quote(v['rrule'])}, {quote(v['dtstart'])}, max_count => 3)"
        else:
            call = f"nexus.occurrences({quote(v['rrule'])}, {quote(v['dtstart'])}, {quote(v['tzid'])}, max_count => 3)"
        statements.append(f"SELECT coalesce(jsonb_agg(at), '[]') FROM {call} at")
    passed = failed = unsupported = 0
    for v, answer in zip(cases, run(statements, SETUP), strict=True):
        state, said = answer.get("sqlstate"), answer.get("message", "taken")
        if state == "0A000":
            unsupported += 1
        elif state in ("NX010", "22023") and any(name in said for name in part_at_fault(v)):
            passed += 1
        else:
            failed += 1
            print(f"  {v['id']}: {v['rrule'][:80]}: {said}")
    report(path, passed, failed, unsupported)


expansions("recurrence/dev.jsonl")
invalid("recurrence/invalid-dev.jsonl")
