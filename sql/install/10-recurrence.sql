-- Recurrence: when does a schedule fire, in this zone, across changes of daylight saving time?
-- A rule is an RFC 5545 RECUR value (with or without RRULE: in front) or one of the aliases none, daily, weekdays,
-- weekly, monthly, yearly. The set of a schedule is (rrule + rdate) minus (exdate + exrule).

CREATE FUNCTION nexus.occurrences_support(internal) RETURNS internal LANGUAGE c STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_occurrences_support';
COMMENT ON FUNCTION nexus.occurrences_support(internal) IS
'Tells the planner how many rows a call of occurrences() or local_occurrences() gives.';

CREATE FUNCTION nexus.occurrences(
  rrule text, dtstart timestamp, tz text DEFAULT 'UTC', after timestamptz DEFAULT NULL, before timestamptz DEFAULT NULL,
  inclusive boolean DEFAULT false, max_count integer DEFAULT NULL, rdate timestamp[] DEFAULT '{}',
  exdate timestamp[] DEFAULT '{}', exrule text[] DEFAULT '{}')
  RETURNS SETOF timestamptz LANGUAGE c STABLE PARALLEL SAFE ROWS 100 COST 100 SUPPORT nexus.occurrences_support
  AS 'MODULE_PATHNAME', 'nexus_occurrences';
COMMENT ON FUNCTION nexus.occurrences(text, timestamp, text, timestamptz, timestamptz, boolean, integer, timestamp[], timestamp[], text[]) IS
$$The instants at which a schedule fires, in order, each once. dtstart, rdate and exdate are wall time of tz; after and before are exclusive unless inclusive is true, and open when NULL.
Expansion is in wall time: a time that the clock skips moves forward by the gap and counts, a time that it shows twice is the first (RFC 5545 3.3.5). dtstart is included only if the rule yields it; COUNT is applied before exdate removes.
Errors: NX010 a rule that RFC 5545 forbids, 0A000 one beyond this engine, NX011 more than nexus.max_occurrences, 22023 an unknown zone, 22008 a time outside the years 1 to 9999. A NULL rrule, dtstart or tz gives no rows.
Example: SELECT * FROM nexus.occurrences('FREQ=WEEKLY;BYDAY=MO,FR', '2026-03-02 09:00', 'America/New_York', max_count => 4)$$;

CREATE FUNCTION nexus.local_occurrences(
  rrule text, dtstart timestamp, after timestamp DEFAULT NULL, before timestamp DEFAULT NULL,
  inclusive boolean DEFAULT false, max_count integer DEFAULT NULL, rdate timestamp[] DEFAULT '{}',
  exdate timestamp[] DEFAULT '{}', exrule text[] DEFAULT '{}')
  RETURNS SETOF timestamp LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 100 COST 100 SUPPORT nexus.occurrences_support
  AS 'MODULE_PATHNAME', 'nexus_local_occurrences';
COMMENT ON FUNCTION nexus.local_occurrences(text, timestamp, timestamp, timestamp, boolean, integer, timestamp[], timestamp[], text[]) IS
$$The same as occurrences() on a wall clock without time zone: floating time in, floating time out. Immutable, because no zone's rules are read. An UNTIL in UTC is compared with the wall clock.$$;

CREATE FUNCTION nexus.next_occurrence(
  rrule text, dtstart timestamp, tz text DEFAULT 'UTC', after timestamptz DEFAULT now(), inclusive boolean DEFAULT false,
  rdate timestamp[] DEFAULT '{}', exdate timestamp[] DEFAULT '{}', exrule text[] DEFAULT '{}')
  RETURNS timestamptz LANGUAGE c STABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_next_occurrence';
COMMENT ON FUNCTION nexus.next_occurrence(text, timestamp, text, timestamptz, boolean, timestamp[], timestamp[], text[]) IS
$$The first occurrence after an instant (or at it, if inclusive), NULL when there is none. after NULL means from the start. Arguments and errors as for occurrences(). It costs the same however far dtstart lies back.
Example: SELECT nexus.next_occurrence('weekdays', '2000-01-03 09:00', 'Europe/Berlin')$$;

CREATE FUNCTION nexus.previous_occurrence(
  rrule text, dtstart timestamp, tz text DEFAULT 'UTC', before timestamptz DEFAULT now(), inclusive boolean DEFAULT false,
  rdate timestamp[] DEFAULT '{}', exdate timestamp[] DEFAULT '{}', exrule text[] DEFAULT '{}')
  RETURNS timestamptz LANGUAGE c STABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_previous_occurrence';
COMMENT ON FUNCTION nexus.previous_occurrence(text, timestamp, text, timestamptz, boolean, timestamp[], timestamp[], text[]) IS
$$The last occurrence before an instant (or at it, if inclusive), NULL when there is none. before NULL means from the end of the rule. Arguments and errors as for occurrences().$$;

CREATE FUNCTION nexus.occurrence_count(
  rrule text, dtstart timestamp, tz text DEFAULT 'UTC', after timestamptz DEFAULT NULL, before timestamptz DEFAULT NULL,
  inclusive boolean DEFAULT false, rdate timestamp[] DEFAULT '{}', exdate timestamp[] DEFAULT '{}',
  exrule text[] DEFAULT '{}')
  RETURNS bigint LANGUAGE c STABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_occurrence_count';
COMMENT ON FUNCTION nexus.occurrence_count(text, timestamp, text, timestamptz, timestamptz, boolean, timestamp[], timestamp[], text[]) IS
$$How many occurrences lie between two instants. Arguments and errors as for occurrences(); more than nexus.max_occurrences is NX011.$$;

CREATE FUNCTION nexus.is_occurrence(
  rrule text, dtstart timestamp, at timestamptz, tz text DEFAULT 'UTC',
  rdate timestamp[] DEFAULT '{}', exdate timestamp[] DEFAULT '{}', exrule text[] DEFAULT '{}')
  RETURNS boolean LANGUAGE c STABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_is_occurrence';
COMMENT ON FUNCTION nexus.is_occurrence(text, timestamp, timestamptz, text, timestamp[], timestamp[], text[]) IS
$$Whether a schedule fires at exactly that instant. Arguments and errors as for occurrences().$$;

CREATE FUNCTION nexus.normalize_rrule(rrule text) RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_normalize_rrule';
COMMENT ON FUNCTION nexus.normalize_rrule(text) IS
$$The canonical text of a rule or alias: parts in a fixed order, lists sorted, defaults left out. Two rules with the same canonical text have the same occurrences. NX010 for a rule that RFC 5545 forbids.
Example: SELECT nexus.normalize_rrule('wkst=mo;byday=WE,MO;freq=weekly') gives FREQ=WEEKLY;BYDAY=MO,WE$$;

CREATE FUNCTION nexus.describe_rrule(rrule text, locale text DEFAULT 'en') RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_describe_rrule';
COMMENT ON FUNCTION nexus.describe_rrule(text, text) IS
$$A rule or alias in words, in the language of the locale: en, de, es, fr or ja, with or without a region (de-AT); another one is 0A000. NX010 for a rule that RFC 5545 forbids. For people to read, and not to be parsed: the wording may change.
Example: SELECT nexus.describe_rrule('FREQ=MONTHLY;BYDAY=-1FR;COUNT=5') gives every month on the last Friday, 5 times$$;

CREATE FUNCTION nexus.rrule_errors(rrule text, dtstart timestamp DEFAULT NULL, tz text DEFAULT NULL)
  RETURNS TABLE(severity text, part text, start_char integer, message text, hint text)
  LANGUAGE c STABLE PARALLEL SAFE ROWS 2
  AS 'MODULE_PATHNAME', 'nexus_rrule_errors';
COMMENT ON FUNCTION nexus.rrule_errors(text, timestamp, text) IS
$$What is wrong with a rule: severity error (the other functions refuse it) or advice (legal, but rarely meant), the part at fault, the 0-based character where that part begins, and a remedy. No row with severity error means valid.
With dtstart it also says whether the rule yields dtstart, or anything. With tz, UNTIL is judged as for that zone; with dtstart alone as for floating time.$$;
