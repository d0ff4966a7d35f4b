# Whatever is altered behind the migrations' back, verify fails and names it.
use strict;
use warnings;
use Test::More;
use NexusTest qw(start_node sqitch run_psql);

my $node = start_node('verify');
$node->safe_psql('postgres', 'CREATE DATABASE app');
my ($code, $output) = sqitch($node, 'app', 'deploy');
is($code, 0, 'deploy') or diag($output);
$node->safe_psql('app', 'CREATE ROLE stranger');

my $trigger = $node->safe_psql('app', q{
	SELECT tgname FROM pg_trigger WHERE tgrelid = 'social_posts'::regclass AND NOT tgisinternal ORDER BY 1 LIMIT 1});
my @tampering = (
	[ 'ALTER TABLE users DROP COLUMN profile_image_url', qr/column users\.profile_image_url, definition: .*found nothing/ ],
	[ 'ALTER TABLE users ADD COLUMN shoe_size integer', qr/column users\.shoe_size, definition: expected nothing/ ],
	[ 'ALTER TABLE niches ALTER description TYPE varchar', qr/column niches\.description, definition: expected text, found character varying/ ],
	[ 'ALTER TABLE users ALTER first_name DROP NOT NULL', qr/column users\.first_name/ ],
	[ 'ALTER TABLE users ALTER is_active DROP DEFAULT', qr/column users\.is_active, .*expected boolean DEFAULT true, found boolean/ ],
	[ 'ALTER TABLE users ALTER is_active SET DEFAULT false', qr/column users\.is_active/ ],
	[ 'ALTER TABLE sessions ALTER user_id DROP EXPRESSION', qr/column sessions\.user_id, definition: expected .*GENERATED/ ],
	[ 'ALTER TABLE content ALTER script SET STORAGE EXTERNAL', qr/column content\.script/ ],
	[ 'ALTER TABLE niches ALTER category TYPE varchar COLLATE "C"', qr/column niches\.category, .*COLLATE/ ],
	[ 'ALTER TABLE content DROP CONSTRAINT check_content_type', qr/constraint content\.check_content_type, definition: .*found nothing/ ],
	[ q{ALTER TABLE content DROP CONSTRAINT check_content_type, ADD CONSTRAINT check_content_type CHECK (content_type IN ('video', 'audio'))},
		qr/constraint content\.check_content_type, definition/ ],
	[ q{ALTER TABLE niches ADD CONSTRAINT niches_named CHECK (name <> '')}, qr/constraint niches\.niches_named, definition: expected nothing/ ],
	[ q{ALTER TABLE niches DROP CONSTRAINT niches_score_range, ADD CONSTRAINT niches_score_range CHECK (trend_score BETWEEN 0 AND 100) NOT VALID},
		qr/constraint niches\.niches_score_range, validated: expected true, found false/ ],
	[ 'ALTER TABLE post_media DROP CONSTRAINT post_media_social_post_id_fkey', qr/foreign key post_media \(social_post_id\), definition: .*found nothing/ ],
	[ q{ALTER TABLE post_media DROP CONSTRAINT post_media_social_post_id_fkey, ADD FOREIGN KEY (social_post_id) REFERENCES social_posts ON DELETE RESTRICT},
		qr/foreign key post_media \(social_post_id\), definition: .*CASCADE, found .*RESTRICT/ ],
	[ 'ALTER TABLE platform_posts ALTER CONSTRAINT platform_posts_account_id_fkey NOT DEFERRABLE', qr/foreign key platform_posts \(account_id\)/ ],
	[ 'ALTER TABLE users DISABLE TRIGGER ALL', qr/foreign key .*, enforced: expected nothing, found disabled on users/ ],
	[ 'ALTER TABLE post_media DROP CONSTRAINT post_media_pkey', qr/primary key post_media \(id\)/ ],
	[ 'ALTER TABLE users DROP CONSTRAINT users_email_key', qr/unique key users \(email\)/ ],
	[ 'DROP INDEX content_due_idx', qr/index content_due_idx, definition: .*found nothing/ ],
	[ 'DROP INDEX content_due_idx; CREATE INDEX content_due_idx ON content (scheduled_at)', qr/index content_due_idx, definition/ ],
	[ 'CREATE INDEX strange ON content (title)', qr/index strange, definition: expected nothing/ ],
	[ q{UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'content_due_idx'::regclass}, qr/index content_due_idx, .*INVALID/ ],
	[ "DROP TRIGGER $trigger ON social_posts", qr/trigger social_posts\.$trigger, definition: .*found nothing/ ],
	[ "ALTER TABLE social_posts DISABLE TRIGGER $trigger", qr/trigger social_posts\.$trigger, enabled: expected origin, found disabled/ ],
	[ 'CREATE TRIGGER strange BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
		qr/trigger users\.strange, definition: expected nothing/ ],
	[ 'ALTER TABLE users DISABLE ROW LEVEL SECURITY', qr/table users, row security: expected enabled and forced/ ],
	[ 'ALTER TABLE users NO FORCE ROW LEVEL SECURITY', qr/table users, row security: .*found enabled/ ],
	[ 'DROP POLICY nexus_app_select ON content', qr/policy content\.nexus_app_select, definition: .*found nothing/ ],
	[ 'ALTER POLICY nexus_app_select ON content USING (true)', qr/policy content\.nexus_app_select, definition: .*found .*USING \(true\)/ ],
	[ 'ALTER POLICY nexus_app_select ON content TO nexus_anon', qr/policy content\.nexus_app_select/ ],
	[ 'CREATE POLICY open ON content USING (true)', qr/policy content\.open, definition: expected nothing/ ],
	[ 'CREATE RULE quiet AS ON DELETE TO users DO INSTEAD NOTHING', qr/rule users\.quiet/ ],
	[ 'GRANT SELECT ON users TO PUBLIC', qr/table users, rights of PUBLIC: expected nothing, found SELECT/ ],
	[ 'GRANT SELECT (password) ON users TO nexus_app', qr/column users\.password, rights of nexus_app: expected nothing/ ],
	[ 'REVOKE DELETE ON content FROM nexus_app', qr/table content, rights of nexus_app/ ],
	[ 'ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO nexus_anon', qr/schema application, default rights on r of nexus_anon/ ],
	[ 'ALTER SEQUENCE content_id_seq CYCLE', qr/sequence content_id_seq, definition/ ],
	[ 'ALTER SEQUENCE content_id_seq OWNED BY NONE', qr/sequence content_id_seq, definition: .*found nothing/ ],
	[ 'ALTER TABLE niches OWNER TO stranger', qr/table niches, owner: expected owner of users, found stranger/ ],
	[ 'ALTER TABLE niches SET (autovacuum_enabled = off)', qr/table niches, storage/ ],
	[ 'ALTER TABLE hashtag_suggestions SET UNLOGGED', qr/table hashtag_suggestions, storage/ ],
	[ 'DROP TABLE ai_content_suggestions', qr/table ai_content_suggestions, columns: .*found nothing/ ],
	[ 'ALTER TABLE niches RENAME COLUMN slug TO slag', qr/column niches\.slag.*column niches\.slug/s ],
	[ 'ALTER ROLE nexus_app BYPASSRLS', qr/role nexus_app, attributes: .*BYPASSRLS/ ],
	[ 'REVOKE nexus_app FROM nexus_bridge', qr/role nexus_bridge, member of/ ],
);

sub verify_after
{
	my ($sql) = @_;
	return run_psql($node, 'app', '-c', 'BEGIN; SET client_min_messages = error', '-c', $sql, '-f', 'verify/attach.sql');
}

($code, $output) = verify_after('SELECT 1');
is($code, 0, 'verify passes when nothing is altered') or diag($output);
for my $case (@tampering)
{
	my ($sql, $named) = @$case;
	($code, $output) = verify_after($sql);
	like($output, qr/differences from the manifest/, "verify fails after: $sql") or diag($output);
	like($output, $named, 'and names it');
}

# What is not ours is not compared: an application may have tables, roles and rights of its own.
($code, $output) = verify_after('CREATE TABLE own (id integer); GRANT SELECT ON content TO stranger; CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1');
is($code, 0, 'verify does not mind what else an application has') or diag($output);

# The same by sqitch: the change that made it and the latest one both say so, the others do not.
$node->safe_psql('app', 'ALTER TABLE post_schedules DROP COLUMN last_attempt_at; DROP INDEX content_due_idx');
($code, $output) = sqitch($node, 'app', 'verify');
isnt($code, 0, 'sqitch verify fails');
like($output, qr/column post_schedules\.last_attempt_at.*index content_due_idx/s, 'and names column and index');
like($output, qr/0001_add_recurrence_fields \.+ not ok|0001_add_recurrence_fields.*# Verify script "verify\/0001/s, 'at the change that added the column');
like($output, qr/verify\/attach\.sql" failed/, 'and at the latest change');
unlike($output, qr/verify\/0000_base\.sql" failed/, 'not at the change before');

$node->stop;
done_testing();
