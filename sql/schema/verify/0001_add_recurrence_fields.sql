-- Verify creatornexus:0001_add_recurrence_fields on pg

\set change 0001_add_recurrence_fields
\ir ../verify.sql
