-- Included first by every deploy, verify and revert script. The variables and their defaults;
-- sqitch takes others as --set NAME=VALUE:
--   schema           the schema of the 16 tables
--   lock_timeout     how long a script waits for a lock before it gives up and changes nothing
--   own_columns      columns that an application has added to the 16 tables, which verify is to pass over:
--                    'content.day_number, content.is_paused'
--   allow_data_loss  'yes' lets a revert drop what users have stored; otherwise it refuses with the counts
\set ON_ERROR_STOP on
\if :{?schema}
\else
  \set schema public
\endif
\if :{?lock_timeout}
\else
  \set lock_timeout 10s
\endif
\if :{?own_columns}
\else
  \set own_columns ''
\endif
\if :{?allow_data_loss}
\else
  \set allow_data_loss no
\endif

SET lock_timeout = :'lock_timeout';
SET search_path = :"schema", pg_temp;
SET row_security = off; -- a count that a policy would make too small is an error instead
