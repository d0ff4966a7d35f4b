-- Verify creatornexus:extension on pg

\set change extension
\ir ../verify.sql
