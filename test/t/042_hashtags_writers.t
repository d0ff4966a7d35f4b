# Eight clients that all use one hashtag, taught, taken back and folded at once: what the log says of waits for locks, and that
# the counts are right in the end. With deadlock_timeout = 5ms each wait of 5 ms is logged.
use strict;
use warnings;
use Test::More;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use NexusTest qw(root start_node);

my $seconds = $ENV{NEXUS_WRITERS_SECONDS} || 8;
my $node = start_node('hashtags_writers', 'fsync = on', 'max_connections = 40', 'log_lock_waits = on', 'deadlock_timeout = 5ms',
	'autovacuum_naptime = 1s', 'nexus.hashtag_min_authors = 1');
$node->safe_psql('postgres', q{
CREATE EXTENSION creatornexus;
CREATE TABLE word (i integer PRIMARY KEY, w text);
INSERT INTO word SELECT i, 'word' || i FROM generate_series(0, 999) i;
});
my $dir = PostgreSQL::Test::Utils::tempdir();
# Each client has rows of its own, as the writers of an application have.
append_to_file("$dir/teach.sql", q{
\set a random(0, 999)
\set b random(0, 999)
\set no random(1, 100000)
SELECT nexus.learn_source_post(x.w || ' ' || y.w, ARRAY['Common', 'T' || :a % 50], now(), 'x', 'u' || :client_id, NULL, NULL, NULL, 'test', :client_id * 1000000 + :no)
  FROM word x, word y WHERE x.i = :a AND y.i = :b;
});
append_to_file("$dir/back.sql", q{
\set no random(1, 100000)
SELECT nexus.retract_source_post('test', :client_id * 1000000 + :no);
});
append_to_file("$dir/fold.sql", "SELECT nexus.fold_hashtag_stats();\n\\sleep 200 ms\n");
my $start = -s $node->logfile;
my $folds = IPC::Run::start([ 'pgbench', '-n', '-c', '1', '-T', $seconds, '-f', "$dir/fold.sql", '-d', $node->connstr('postgres') ], '>', "$dir/folds", '2>', "$dir/fold_err");
my ($out, $err) = ('', '');
IPC::Run::run([ 'pgbench', '-n', '-M', 'prepared', '-c', '8', '-j', '2', '-T', $seconds, '-f', "$dir/teach.sql\@9", '-f', "$dir/back.sql\@1", '-d', $node->connstr('postgres') ], '>', \$out, '2>', \$err);
$folds->finish;
unlike($err . slurp_file("$dir/fold_err"), qr/ERROR|FATAL/, 'no client met an error');
my ($tps) = $out =~ /tps = ([\d.]+)/;
my ($times) = slurp_file("$dir/folds") =~ /transactions actually processed: (\d+)/;
my $log = slurp_file($node->logfile, $start);
my @waits = $log =~ /still waiting for (\S+ on \S+)/g;
is(scalar @waits, 0, 'nobody waits for a lock for 5 ms') or diag("waits: @waits");
cmp_ok($times, '>', 2, 'and folds went on meanwhile');
note("$tps transactions a second of 8 clients with one hashtag, $times folds");

$node->safe_psql('postgres', 'SELECT nexus.fold_hashtag_stats()');
is($node->safe_psql('postgres', 'SELECT count(*) FROM nexus.hashtag_delta'), '0', 'all of it is folded');
is($node->safe_psql('postgres', q{SELECT (SELECT posts FROM nexus.hashtag_tags WHERE canonical = 'common') - (SELECT count(*) FROM nexus.hashtag_posts)}), '0',
	'each post that is left counts once for the hashtag of all');
my $packed = q{SELECT md5(string_agg(r::text, E'\n' ORDER BY r::text COLLATE "C")) FROM (
  SELECT feature || posts || tags::text AS r FROM nexus.hashtag_features
  UNION ALL SELECT 'h' || h::text FROM nexus.hashtag_hours h
  UNION ALL SELECT 's' || s::text FROM nexus.hashtag_spellings s
  UNION ALL SELECT 'a' || a::text FROM nexus.hashtag_authors a
  UNION ALL SELECT 't' || t::text FROM nexus.hashtag_tags t WHERE posts > 0) all_rows};
my $folded = $node->safe_psql('postgres', $packed);
$node->safe_psql('postgres', 'SELECT nexus.rebuild_hashtag_model()');
is($node->safe_psql('postgres', $packed), $folded, 'and all counts are those of a recount');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT o, ' ' ORDER BY o) FROM pg_class c, unnest(c.reloptions) o WHERE c.relname IN ('hashtag_delta', 'hashtag_retractions') AND o ~ 'truncate'}),
	'vacuum_truncate=off', 'vacuum never takes the end of a queue away from its writers');
$node->stop;
done_testing();
