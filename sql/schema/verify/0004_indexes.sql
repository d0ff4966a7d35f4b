-- Verify creatornexus:0004_indexes on pg

\set change 0004_indexes
\ir ../verify.sql
