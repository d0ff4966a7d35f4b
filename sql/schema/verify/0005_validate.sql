-- Verify creatornexus:0005_validate on pg

\set change 0005_validate
\ir ../verify.sql
