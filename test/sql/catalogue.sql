-- Rules that every object of the extension keeps. Each query lists the offenders: none.
-- functions in SQL languages pin their search_path
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
 WHERE p.pronamespace = 'nexus'::regnamespace AND l.lanname IN ('sql', 'plpgsql')
   AND NOT EXISTS (SELECT FROM unnest(p.proconfig) c WHERE c LIKE 'search_path=pg_catalog%')
 ORDER BY 1;
-- SECURITY DEFINER is never open to PUBLIC
SELECT p.oid::regprocedure FROM pg_proc p
 WHERE p.pronamespace = 'nexus'::regnamespace AND p.prosecdef AND p.prorettype <> 'trigger'::regtype
   AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE')
 ORDER BY 1;
-- a function that returns rows of tables or writes is not IMMUTABLE
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
 WHERE p.pronamespace = 'nexus'::regnamespace AND p.provolatile = 'i' AND l.lanname = 'plpgsql' AND p.prosrc ~* '\m(FROM|INTO)\s+nexus\.'
 ORDER BY 1;
-- every table has a primary key
SELECT c.oid::regclass FROM pg_class c
 WHERE c.relnamespace = 'nexus'::regnamespace AND c.relkind IN ('r', 'p')
   AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
 ORDER BY 1;
-- no table of the extension depends on the application's schema
SELECT conrelid::regclass, conname FROM pg_constraint c JOIN pg_class r ON r.oid = c.confrelid
 WHERE c.contype = 'f' AND c.connamespace = 'nexus'::regnamespace AND r.relnamespace <> 'nexus'::regnamespace;
-- the functions of the contract explain themselves
SELECT f FROM unnest(ARRAY['occurrences', 'local_occurrences', 'next_occurrence', 'rrule_errors', 'text_stats', 'entities', 'hashtags',
  'canonical_hashtag', 'validate', 'validate_content', 'validate_post', 'set_enforcement', 'learn_post', 'suggest_hashtags',
  'fold_hashtag_stats', 'metrics_agg', 'engagement_rate', 'total', 'rollup', 'local_bucket', 'local_bucket_end', 'ingest_metrics',
  'metrics_series', 'quantile_agg', 'quantile', 'distinct_agg', 'distinct_count', 'distinct_union', 'topk_agg', 'topk',
  'account_summary', 'top_content', 'best_times', 'metric_anomalies', 'attach', 'detach', 'attach_report', 'current_user_id', 'seed', 'clear_seed', 'is_timezone', 'utcnow']) f
 WHERE NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'nexus'::regnamespace AND p.proname = f
                      AND obj_description(p.oid, 'pg_proc') IS NOT NULL);
