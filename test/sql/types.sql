-- Shared functions of 00-types.sql.
SELECT z, nexus.is_timezone(z) FROM unnest(ARRAY['UTC', 'europe/berlin', 'EST5EDT', '+05', 'XXX99YYY', 'Mars/Base', '']) z;
BEGIN;
SET LOCAL timezone = 'America/New_York';
SELECT nexus.utcnow() = now() AT TIME ZONE 'UTC' AS utc;
ROLLBACK;
