#!/usr/bin/env python3
"""What calendar_ics() writes, read by python3-icalendar: titles and captions come back as they were, and each event, its
RRULE and EXDATE expanded by python-dateutil, gives the instants of nexus.calendar().

python3-icalendar undoes escapes one kind after the other, so that an escaped backslash before n, N, a comma or a semicolon
reads as that escape. Such texts are checked by the reading of RFC 5545 3.3.11 below, all others by both.

The database needs the extension and the tables; nothing stays in it.
"""
import datetime
import json
import re
import subprocess
import sys
import zoneinfo

import icalendar
from dateutil.rrule import rruleset, rrulestr

UTC = datetime.timezone.utc
AFTER, BEFORE = datetime.datetime(2100, 1, 1, tzinfo=UTC), datetime.datetime(2101, 1, 1, tzinfo=UTC)
TITLES = [
    "Plain", "semicolon; comma, colon: backslash \\ and \\n as two characters", 'quotes " and \'', "a\nline break\nand another",
    "ünïcödé — " + "längere Wörter, die gefaltet werden müssen, " * 5, "🎉🏳️‍🌈👩‍👩‍👧‍👦" * 12, "日本語の題名がとても長いので折り返される" * 6,
    "BEGIN:VEVENT", "END:VCALENDAR", "SUMMARY;X=1:not a property", " leading and trailing space ", "x" * 74, "y" * 75, "z" * 300,
    "tab\there", "DTSTART:20260101T000000Z\nRRULE:FREQ=DAILY", "\\;\\,\\N", "العربية עברית",
]
SCHEDULES = [  # scheduled_at (UTC), recurrence, rrule, zone, exdates, series_end_date, occurrence_limit
    ("2100-03-01 14:00", "daily", None, "America/New_York", "{2100-03-13 14:00,2100-03-14 13:00}", None, 40),
    ("2100-01-31 23:30", "monthly", None, "UTC", "{}", None, None),
    ("2100-02-01 08:00", "weekly", None, "Europe/Berlin", "{}", "2100-11-15 08:00", None),
    ("2100-02-01 08:00", "weekdays", None, "Australia/Lord_Howe", "{}", "2100-05-01 00:00", 30),
    ("2100-02-02 08:00", "none", None, "Asia/Tokyo", "{}", None, None),
    ("2100-01-04 08:00", "custom", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "Asia/Kolkata", "{}", None, None),
    ("2100-01-04 20:00", "custom", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,TU;WKST=SU", "America/St_Johns", "{}", None, None),
    ("2100-01-04 08:00", "custom", "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU;BYHOUR=2;BYMINUTE=30", "Europe/London", "{}", None, None),
    ("2099-01-04 08:00", "custom", "FREQ=DAILY;INTERVAL=17;COUNT=30", "Africa/Casablanca", "{}", None, None),
]


def literal(value):
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


def database():
    """The calendar as text, what it should say, and the occurrences, from a transaction that is rolled back."""
    script = r"""
\set QUIET on
SET standard_conforming_strings = on;
SET timezone = 'UTC';
BEGIN;
SET LOCAL nexus.import_mode = on;
INSERT INTO users (id, email, password, first_name, last_name) VALUES
  ('ics', 'ics@example.com', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2g', 'A', 'A');
"""
    for i, title in enumerate(TITLES):
        at, recurrence, rrule, zone, exdates, end, limit = SCHEDULES[i % len(SCHEDULES)]
        script += (f"INSERT INTO social_posts (id, user_id, title, caption, content_type) VALUES ({920000 + i}, 'ics', "
                   f"{literal(title)}, {literal(title[::-1])}, 'post');\n"
                   "INSERT INTO post_schedules (id, social_post_id, platform, scheduled_at, recurrence, rrule, timezone, exdates, "
                   f"series_end_date, occurrence_limit) VALUES ({920000 + i}, {920000 + i}, 'x', '{at}', '{recurrence}', "
                   f"{literal(rrule)}, '{zone}', '{exdates}', {literal(end)}, {literal(limit)});\n")
    window = f"'{AFTER.isoformat()}', '{BEFORE.isoformat()}'"
    script += f"""
SELECT to_jsonb(nexus.calendar_ics('ics', {window}));
SELECT jsonb_object_agg(id, jsonb_build_array(title, caption)) FROM social_posts WHERE user_id = 'ics';
SELECT jsonb_object_agg(schedule_id, times) FROM (
  SELECT schedule_id, jsonb_agg(extract(epoch FROM occurs_at)::bigint ORDER BY occurs_at) AS times
    FROM nexus.calendar('ics', {window}) GROUP BY schedule_id) AS c;
ROLLBACK;
"""
    done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"], input=script, text=True, capture_output=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines() if line]


def occurrences(event):
    """Of an event between AFTER and BEFORE, as seconds since 1970; wall time expanded, then resolved."""
    start = event["DTSTART"].dt
    zone = zoneinfo.ZoneInfo(event["DTSTART"].params["TZID"]) if "TZID" in event["DTSTART"].params else UTC
    wall = start.replace(tzinfo=None)
    rules = rruleset()
    if "RRULE" in event:
        rule = event["RRULE"]
        if "UNTIL" in rule:
            rule["UNTIL"] = [rule["UNTIL"][0].astimezone(zone).replace(tzinfo=None)]
        rules.rrule(rrulestr(rule.to_ical().decode(), dtstart=wall))
    else:
        rules.rdate(wall)
    excluded = event.get("EXDATE", [])
    for values in excluded if isinstance(excluded, list) else [excluded]:
        for value in values.dts:
            rules.exdate(value.dt.replace(tzinfo=None))
    found = []
    for local in rules:
        at = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if at >= BEFORE:
            break
        if at >= AFTER:
            found.append(int(at.timestamp()))
    return found


def unescaped(component, name):
    """A TEXT value (RFC 5545 3.3.11) of an unfolded component."""
    value = re.search(f"^{name}:(.*)\r$", component, re.MULTILINE).group(1)
    return re.sub(r"\\(.)", lambda escape: "\n" if escape[1] in "nN" else escape[1], value)


def main():
    text, titles, times = database()
    passed = failed = 0

    def check(what, is_, wanted):
        nonlocal passed, failed
        passed, failed = passed + (is_ == wanted), failed + (is_ != wanted)
        if is_ != wanted:
            print(f"{what}:\n  is     {str(is_)[:300]}\n  wanted {str(wanted)[:300]}")

    octets = text.encode()
    check("a line ends other than in CRLF", octets.replace(b"\r\n", b"").count(b"\n"), 0)
    check("lines above 75 octets", [line for line in octets.split(b"\r\n") if len(line) > 75], [])
    calendar = icalendar.Calendar.from_ical(text)
    check("components at fault", [c.errors for c in calendar.walk() if getattr(c, "errors", None)], [])
    zones = {str(zone["TZID"]) for zone in calendar.walk("VTIMEZONE")}
    events = calendar.walk("VEVENT")
    check("events", len(events), len(TITLES))
    written = text.replace("\r\n ", "").split("\r\nBEGIN:VEVENT\r\n")[1:]
    for event, component in zip(events, written, strict=True):
        number = str(event["UID"]).split("@")[0].removeprefix("schedule-")
        for name, wanted in zip(("SUMMARY", "DESCRIPTION"), titles[number], strict=True):
            check(f"{number} {name}", unescaped(component, name), wanted)
            if not re.search(r"\\[nN,;]", wanted):
                check(f"{number} {name} by python3-icalendar", str(event[name]), wanted)
        check(f"{number} occurrences", occurrences(event), times.get(number, []))
        tzid = event["DTSTART"].params.get("TZID")
        check(f"{number} has its zone", tzid is None or tzid in zones, True)
    for zone in calendar.walk("VTIMEZONE"):
        zone.to_tz()  # python3-icalendar makes a time zone of it, or raises
        passed += 1
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
