-- Verify creatornexus:0002_add_database_constraints on pg

\set change 0002_add_database_constraints
\ir ../verify.sql
