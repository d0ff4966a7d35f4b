# Changes of the schema reach the bridge by themselves, no request fails meanwhile, and a reading that fails keeps what was.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use NexusBridge;
use NexusTest qw(start_node deploy run_psql);

my $node = start_node('schema_changes');
deploy($node, 'app');
$node->safe_psql('app', q{
	CREATE ROLE developer LOGIN;
	GRANT CREATE ON DATABASE app TO developer;
});
$node->safe_psql('app', q{
	SET ROLE developer;
	CREATE SCHEMA api;
	GRANT USAGE ON SCHEMA api TO nexus_anon;
	CREATE TYPE api.pair AS (a int);
	CREATE FUNCTION api.one() RETURNS int LANGUAGE sql IMMUTABLE RETURN 1;
	CREATE FUNCTION api.pairs() RETURNS SETOF api.pair LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN QUERY EXECUTE $$SELECT 1$$; END';
});
my $bridge = NexusBridge->start($node, 'app', 'nexus_bridge', db_schemas => 'api', db_anon_role => 'nexus_anon');
ok($bridge->wait_ready, 'ready');

sub await { my ($what, $name) = @_; my $end = time + 10; while (time < $end) { return pass($name) if $what->(); sleep 0.02 } return fail($name) }
sub developer { my ($sql) = @_; my ($code, $said) = run_psql($node, 'app', '-c', 'SET SESSION AUTHORIZATION developer', '-c', $sql); is($code, 0, "a developer: $sql") or diag($said); return }

# What the bridge knows decides the form of the answer, so that an old picture shows.
is($bridge->get('/rpc/one')->{content}, '1', 'a value');
developer('CREATE FUNCTION api.two(n int DEFAULT 2) RETURNS int LANGUAGE sql IMMUTABLE RETURN n');
await(sub { $bridge->get('/rpc/two')->{content} eq '2' }, 'a new function can be called');
developer('BEGIN; DROP FUNCTION api.one(); CREATE FUNCTION api.one() RETURNS SETOF int LANGUAGE sql IMMUTABLE RETURN 1; COMMIT');
await(sub { $bridge->get('/rpc/one')->{content} eq '[1]' }, 'one that is made anew answers in its new form, without a NOTIFY');
is($bridge->get('/rpc/pairs?b=eq.1')->{json}{code}, '42703', 'no column b');
developer('ALTER TYPE api.pair RENAME ATTRIBUTE a TO b');
await(sub { $bridge->get('/rpc/pairs?b=eq.1')->{content} eq '[{"b":1}]' }, 'a new name of a column is known');
developer('DROP FUNCTION api.two');
await(sub { $bridge->get('/rpc/two')->{json}{code} eq 'PGRST202' }, 'one that is gone is not found');
is($bridge->request('OPTIONS', '/rpc/two')->{status}, 404, 'here either');

# Nothing is told of what makes no difference.
my @listening = ('-c', 'LISTEN nexus');
my ($code, $said) = run_psql($node, 'app', @listening, '-c', 'CREATE TEMP TABLE t (a int)', '-c', 'CREATE INDEX ON t (a)', '-c', 'DROP TABLE t', '-c', 'GRANT SELECT ON users TO developer', '-c', 'SELECT 1');
unlike($said, qr/notification/, 'temporary tables, indexes and grants tell nothing');
($code, $said) = run_psql($node, 'app', @listening, '-c', 'BEGIN', '-c', 'CREATE FUNCTION api.a() RETURNS int LANGUAGE sql RETURN 1', '-c', 'CREATE FUNCTION api.b() RETURNS int LANGUAGE sql RETURN 1', '-c', 'COMMIT', '-c', 'SELECT 1');
is(() = $said =~ /notification "nexus" with payload "reload schema"/g, 1, 'many changes in a transaction tell once');

# No request fails while the schema is read again and again.
pipe(my $read, my $write) or die "pipe: $!";
my $pid = fork() // die "fork: $!";
if (!$pid)
{
	my (%status, $n);
	my $end = time + 4;
	while (time < $end) { my $answer = $bridge->get('/rpc/one'); $status{"$answer->{status} $answer->{content}"}++; $n++ }
	print {$write} join(', ', map { "$_" } sort keys %status), "\n$n\n";
	close $write;
	POSIX::_exit(0);
}
close $write;
my $changes = 0;
my $end = time + 3.5;
while (time < $end) { $node->safe_psql('app', "CREATE OR REPLACE FUNCTION api.made_$changes() RETURNS int LANGUAGE sql IMMUTABLE RETURN $changes"); $changes++ }
my ($answers, $count) = split /\n/, do { local $/; <$read> };
waitpid($pid, 0);
is($answers, '200 [1]', "$count requests beside $changes changes: all are answered");
await(sub { $bridge->get('/rpc/made_' . ($changes - 1))->{status} == 200 }, 'the last one is known');

# A reading that fails
$node->safe_psql('app', 'REVOKE SELECT ON pg_catalog.pg_proc FROM PUBLIC; NOTIFY nexus');
await(sub { $bridge->log_text =~ /could not be reloaded, the old one stays/ }, 'a reading of the schema fails');
is($bridge->get('/rpc/one')->{content}, '[1]', 'what was known is served');
is($bridge->get('/ready')->{status}, 200, 'and ready');
$node->safe_psql('app', 'GRANT SELECT ON pg_catalog.pg_proc TO PUBLIC; CREATE FUNCTION api.after() RETURNS int LANGUAGE sql IMMUTABLE RETURN 3');
await(sub { $bridge->get('/rpc/after')->{content} eq '3' }, 'the next one succeeds');
is($bridge->stop, 0, 'SIGTERM');

# The extension takes its event triggers with it.
$node->safe_psql('app', 'DROP EXTENSION creatornexus CASCADE');
is($node->safe_psql('app', 'SELECT count(*) FROM pg_event_trigger'), '0', 'without the extension there are no event triggers');
$node->safe_psql('app', 'CREATE FUNCTION api.later() RETURNS int LANGUAGE sql RETURN 1');
$node->stop;
done_testing();
