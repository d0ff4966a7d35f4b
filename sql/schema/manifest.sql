-- The manifest: what the catalogue says about the 16 tables of the schema that stands first in search_path, and about the
-- extension and its roles, as rows (kind, name, what, value). Verify scripts compare it with a golden file, so it also
-- shows what nobody thought of checking. To look at it:  PGOPTIONS='-c search_path=public' psql -f manifest.sql
--
-- It holds no oid, no name of the schema and no name that a tool chose (of keys and their indexes). Owners and rights count
-- relative to the tables' owner, since adopted tables keep theirs (in policies nexus_owner passes for it); rights of roles
-- that are not ours are not compared.
WITH app AS (
  SELECT c.oid, c.relname::text AS name, c.relkind, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity, c.relreplident,
         c.reloptions, c.relowner, c.relacl
    FROM pg_catalog.pg_class c
   WHERE c.relnamespace = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace
     AND c.relname IN ('users', 'projects', 'content', 'sessions', 'social_accounts', 'content_metrics', 'niches',
                       'ai_generation_tasks', 'templates', 'notifications', 'social_posts', 'platform_posts', 'post_media',
                       'post_schedules', 'hashtag_suggestions', 'ai_content_suggestions')
), app_sequence AS (
  SELECT c.oid, c.relname::text AS name, c.relowner, c.relacl, app.name || '.' || a.attname AS owned_by
    FROM pg_catalog.pg_depend d
    JOIN app ON app.oid = d.refobjid
    JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S'
   WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
), role AS (
  SELECT r.* FROM pg_catalog.pg_roles r
   WHERE r.rolname IN ('nexus_owner', 'nexus_app', 'nexus_anon', 'nexus_worker', 'nexus_bridge')
), attribute AS (
  SELECT app.name || '.' || a.attname AS name, a.attname, a.attacl, app.relowner,
         pg_catalog.concat_ws(' ',
           pg_catalog.format_type(a.atttypid, a.atttypmod),
           CASE WHEN a.attcollation <> t.typcollation THEN 'COLLATE ' || a.attcollation::regcollation END,
           CASE WHEN a.attstorage <> t.typstorage THEN 'STORAGE ' || a.attstorage::text END,
           CASE WHEN a.attnotnull THEN 'NOT NULL' END,
           CASE WHEN a.attidentity <> '' THEN 'IDENTITY ' || a.attidentity::text END,
           CASE WHEN a.attgenerated = 's' THEN 'GENERATED STORED' WHEN d.adbin IS NOT NULL THEN 'DEFAULT' END,
           pg_catalog.pg_get_expr(d.adbin, d.adrelid, true)) AS definition
    FROM app
    JOIN pg_catalog.pg_attribute a ON a.attrelid = app.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
), rule AS (
  SELECT app.name AS table_name, c.oid, c.contype, c.conname, c.convalidated, c.conindid,
         (SELECT pg_catalog.string_agg(a.attname, ', ' ORDER BY k.place)
            FROM pg_catalog.unnest(c.conkey) WITH ORDINALITY AS k(attnum, place)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum) AS columns,
         pg_catalog.replace(pg_catalog.pg_get_constraintdef(c.oid, true), ' NOT VALID', '') AS definition
    FROM app JOIN pg_catalog.pg_constraint c ON c.conrelid = app.oid
), right_of AS (
  SELECT kind, name, what, grantee, owner, pg_catalog.string_agg(word, ', ' ORDER BY word COLLATE "C") AS words
    FROM (SELECT o.kind, o.name, o.what, a.grantee, o.owner,
                 a.privilege_type || CASE WHEN a.is_grantable AND a.grantee <> o.owner THEN ' WITH GRANT OPTION' ELSE '' END AS word
            FROM (SELECT 'table' AS kind, name, 'rights' AS what, relowner AS owner,
                         COALESCE(relacl, pg_catalog.acldefault('r', relowner)) AS acl FROM app
                  UNION ALL
                  SELECT 'sequence', name, 'rights', relowner, COALESCE(relacl, pg_catalog.acldefault('s', relowner))
                    FROM app_sequence
                  UNION ALL
                  SELECT 'column', name, 'rights', relowner, attacl FROM attribute WHERE attacl IS NOT NULL
                  UNION ALL
                  SELECT 'schema', 'application', 'rights', nspowner, nspacl
                    FROM pg_catalog.pg_namespace WHERE oid = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace
                  UNION ALL
                  SELECT 'schema', 'application', 'default rights on ' || defaclobjtype::text, defaclrole, defaclacl
                    FROM pg_catalog.pg_default_acl WHERE defaclnamespace = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace) o
           CROSS JOIN pg_catalog.aclexplode(o.acl) a) x
   GROUP BY kind, name, what, grantee, owner
), manifest(kind, name, what, value) AS (
  SELECT 'extension', e.extname::text, 'schema', n.nspname::text
    FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'creatornexus'
  UNION ALL
  SELECT 'role', r.rolname::text, 'attributes',
         pg_catalog.concat_ws(' ', CASE WHEN r.rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
           CASE WHEN r.rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END, CASE WHEN r.rolsuper THEN 'SUPERUSER' END,
           CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END, CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
           CASE WHEN r.rolreplication THEN 'REPLICATION' END, CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END)
    FROM role r
  UNION ALL
  SELECT 'role', m.rolname::text, 'member of', pg_catalog.string_agg(g.rolname, ', ' ORDER BY g.rolname COLLATE "C")
    FROM role m JOIN pg_catalog.pg_auth_members am ON am.member = m.oid JOIN role g ON g.oid = am.roleid
   GROUP BY m.rolname
  UNION ALL
  SELECT 'table', app.name, 'storage', pg_catalog.concat_ws(' ', 'kind ' || app.relkind::text, 'persistence ' || app.relpersistence::text,
         'replica identity ' || app.relreplident::text, pg_catalog.array_to_string(app.reloptions, ' '))
    FROM app
  UNION ALL
  SELECT 'table', app.name, 'row security',
         CASE WHEN app.relrowsecurity AND app.relforcerowsecurity THEN 'enabled and forced' WHEN app.relrowsecurity THEN 'enabled'
              WHEN app.relforcerowsecurity THEN 'forced but not enabled' ELSE 'off' END
    FROM app
  UNION ALL
  SELECT 'table', app.name, 'owner', CASE WHEN app.relowner = users.relowner THEN 'owner of users' ELSE app.relowner::regrole::text END
    FROM app LEFT JOIN app AS users ON users.name = 'users'
  UNION ALL
  SELECT 'table', app.name, 'columns', pg_catalog.string_agg(a.attname, ', ' ORDER BY a.attnum)
    FROM app JOIN pg_catalog.pg_attribute a ON a.attrelid = app.oid AND a.attnum > 0 AND NOT a.attisdropped
   GROUP BY app.name
  UNION ALL
  SELECT 'table', app.name, 'inherits', i.inhparent::regclass::text
    FROM app JOIN pg_catalog.pg_inherits i ON i.inhrelid = app.oid
  UNION ALL
  SELECT 'column', name, 'definition', definition FROM attribute
  UNION ALL
  SELECT 'sequence', s.name, 'definition', pg_catalog.concat_ws(' ', pg_catalog.format_type(q.seqtypid, NULL), 'start', q.seqstart,
         'increment', q.seqincrement, 'from', q.seqmin, 'to', q.seqmax, 'cache', q.seqcache, CASE WHEN q.seqcycle THEN 'cycle' END,
         'owned by', s.owned_by)
    FROM app_sequence s JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
  UNION ALL
  -- Keys go by their columns: their names are PostgreSQL's in one application and an ORM's in another.
  SELECT CASE contype WHEN 'f' THEN 'foreign key' WHEN 'p' THEN 'primary key' ELSE 'unique key' END,
         table_name || ' (' || columns || ')', 'definition',
         pg_catalog.string_agg(definition || CASE WHEN contype = 'f' THEN '' ELSE ' USING ' || am.amname END, '; ' ORDER BY definition)
    FROM rule
    LEFT JOIN pg_catalog.pg_class i ON i.oid = conindid
    LEFT JOIN pg_catalog.pg_am am ON am.oid = i.relam
   WHERE contype IN ('p', 'u', 'f')
   GROUP BY contype, table_name, columns
  UNION ALL
  SELECT 'foreign key', table_name || ' (' || columns || ')', 'validated', pg_catalog.bool_and(convalidated)::text
    FROM rule WHERE contype = 'f' GROUP BY table_name, columns
  UNION ALL
  -- varchar IN (…) is printed in one way before and in another after a dump and restore: casts and parentheses aside, equal.
  SELECT 'constraint', table_name || '.' || conname, 'definition',
         CASE WHEN definition ~ '::character varying'
              THEN pg_catalog.regexp_replace(definition, '::(character varying|text)(\[\])?|[()]', '', 'g') ELSE definition END
    FROM rule WHERE contype NOT IN ('p', 'u', 'f')
  UNION ALL
  SELECT 'constraint', table_name || '.' || conname, 'validated', convalidated::text FROM rule WHERE contype NOT IN ('p', 'u', 'f')
  UNION ALL
  SELECT 'index', i.relname::text, 'definition', pg_catalog.concat_ws(' ', pg_catalog.pg_get_indexdef(x.indexrelid, 0, true),
         CASE WHEN NOT x.indisvalid THEN 'INVALID' END, CASE WHEN NOT x.indisready THEN 'NOT READY' END,
         CASE WHEN i.reloptions IS NOT NULL THEN 'WITH ' || pg_catalog.array_to_string(i.reloptions, ' ') END)
    FROM app
    JOIN pg_catalog.pg_index x ON x.indrelid = app.oid
    JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
   WHERE NOT EXISTS (SELECT FROM rule WHERE rule.conindid = x.indexrelid AND rule.contype IN ('p', 'u', 'x'))
  UNION ALL
  SELECT 'trigger', app.name || '.' || t.tgname, 'definition', pg_catalog.pg_get_triggerdef(t.oid, true)
    FROM app JOIN pg_catalog.pg_trigger t ON t.tgrelid = app.oid WHERE NOT t.tgisinternal
  UNION ALL
  SELECT 'trigger', app.name || '.' || t.tgname, 'enabled',
         CASE t.tgenabled WHEN 'O' THEN 'origin' WHEN 'A' THEN 'always' WHEN 'R' THEN 'replica' ELSE 'disabled' END
    FROM app JOIN pg_catalog.pg_trigger t ON t.tgrelid = app.oid WHERE NOT t.tgisinternal
  UNION ALL
  -- The triggers that enforce foreign keys are worth a row only when somebody has switched them.
  SELECT 'foreign key', rule.table_name || ' (' || rule.columns || ')', 'enforced', 'disabled on ' || app.name
    FROM app
    JOIN pg_catalog.pg_trigger t ON t.tgrelid = app.oid AND t.tgisinternal AND t.tgenabled <> 'O'
    JOIN rule ON rule.oid = t.tgconstraint
   GROUP BY rule.table_name, rule.columns, app.name
  UNION ALL
  SELECT 'policy', app.name || '.' || p.polname, 'definition',
         pg_catalog.concat_ws(' ', CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
           'FOR', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
           'TO', (SELECT pg_catalog.string_agg(DISTINCT g.name, ', ' ORDER BY g.name)
                    FROM (SELECT CASE WHEN r.oid = 0 THEN 'PUBLIC' WHEN r.oid IN (app.relowner, (SELECT oid FROM role WHERE rolname = 'nexus_owner'))
                                      THEN 'owner' ELSE r.oid::regrole::text END COLLATE "C" AS name
                            FROM pg_catalog.unnest(p.polroles) AS r(oid)) g),
           'USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid, true) || ')',
           'WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid, true) || ')')
    FROM app JOIN pg_catalog.pg_policy p ON p.polrelid = app.oid
  UNION ALL
  SELECT 'rule', app.name || '.' || r.rulename, 'definition', pg_catalog.pg_get_ruledef(r.oid, true)
    FROM app JOIN pg_catalog.pg_rewrite r ON r.ev_class = app.oid
  UNION ALL
  SELECT r.kind, r.name,
         r.what || ' of ' || CASE WHEN r.grantee = 0 THEN 'PUBLIC' WHEN r.kind <> 'schema' AND r.grantee = r.owner THEN 'owner'
                                  ELSE role.rolname::text END,
         r.words
    FROM right_of r
    LEFT JOIN role ON role.oid = r.grantee
   WHERE CASE WHEN r.kind = 'schema' THEN role.rolname <> 'nexus_owner'
              ELSE r.grantee = 0 OR r.grantee = r.owner OR role.rolname <> 'nexus_owner' END
)
SELECT kind, name, what, value FROM manifest ORDER BY kind COLLATE "C", name COLLATE "C", what COLLATE "C";
