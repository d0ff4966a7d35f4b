-- Revert creatornexus:0005_validate from pg
-- A rule that has been proved stays proved; reverting 0003 drops it.

\ir ../settings.sql
