-- Verify creatornexus:0000_base on pg

\set change 0000_base
\ir ../verify.sql
