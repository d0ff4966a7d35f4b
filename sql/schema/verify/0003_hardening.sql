-- Verify creatornexus:0003_hardening on pg

\set change 0003_hardening
\ir ../verify.sql
