# Streaming replicas: they serve what only reads, a token makes them serve what its holder wrote, and whatever goes wrong
# with them is made good by the primary.
use strict;
use warnings;
use IPC::Run ();
use Test::More;
use Time::HiRes qw(sleep time);
use NexusBridge;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', "timezone = 'UTC'\nfsync = off\nautovacuum = off\n");
$primary->start;
$primary->safe_psql('postgres', q{
	CREATE ROLE visitor NOLOGIN;
	CREATE ROLE gate LOGIN NOINHERIT;
	GRANT visitor TO gate;
	CREATE SCHEMA api;
	GRANT USAGE ON SCHEMA api TO visitor;
	CREATE TABLE api.word (n serial PRIMARY KEY, word text UNIQUE);
	GRANT SELECT, INSERT ON api.word TO visitor;
	GRANT USAGE ON SEQUENCE api.word_n_seq TO visitor;
	CREATE FUNCTION api.server() RETURNS text LANGUAGE sql STABLE RETURN CASE WHEN pg_is_in_recovery() THEN 'replica' ELSE 'primary' END;
	CREATE FUNCTION api.add(word text) RETURNS int LANGUAGE sql AS 'INSERT INTO api.word (word) VALUES (word) RETURNING n';
	CREATE FUNCTION api.has(word text) RETURNS text LANGUAGE sql STABLE AS $$SELECT api.server() || ': ' || EXISTS (SELECT FROM api.word w WHERE w.word = has.word)$$;
	CREATE FUNCTION api.words_slowly(seconds float) RETURNS text LANGUAGE sql STABLE AS $$SELECT (SELECT api.server() || ': ' FROM api.word, pg_sleep(seconds) LIMIT 1) || count(*) FROM api.word$$;
	CREATE FUNCTION api.slowly(seconds float) RETURNS text LANGUAGE plpgsql STABLE AS $$BEGIN PERFORM pg_sleep(seconds); RETURN api.server(); END$$;
	CREATE FUNCTION api.many(n int) RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT api.server() FROM generate_series(1, n)';
});
$primary->backup('base');
my $replica = PostgreSQL::Test::Cluster->new('replica');
$replica->init_from_backup($primary, 'base', has_streaming => 1);
$replica->append_conf('postgresql.conf', "max_standby_streaming_delay = 50ms\nhot_standby_feedback = off\n");
$replica->start;

my $admin = PostgreSQL::Test::Cluster::get_free_port();
my $bridge = NexusBridge->start($primary, 'postgres', 'gate', db_schemas => 'api', db_anon_role => 'visitor', admin_server_port => $admin,
	db_replica_uris => $replica->connstr('postgres') . ' user=gate', db_replica_max_lag => 2, db_pool_max_backoff => 200);
ok($bridge->wait_ready, 'ready');

sub metric { my ($name) = @_; return HTTP::Tiny->new->get("http://127.0.0.1:$admin/metrics")->{content} =~ /^nexus_bridge_replica_$name(?:\{.*?\})? (\S+)$/m ? $1 : undef }
sub await { my ($what, $name) = @_; my $end = time + 15; while (time < $end) { return pass($name) if $what->(); sleep 0.05 } return fail($name) }
sub server { return $bridge->get('/rpc/server', @_)->{json} // '' }
my @latest = ('Consistency-Token' => 'latest');

await(sub { server() eq 'replica' }, 'GET goes to the replica');
is($bridge->rpc('server')->{json}, 'replica', 'and so does what only reads by POST');
is($bridge->request('POST', '/batch', [ { function => 'server' }, { function => 'server' } ])->{json}[1]{body}, 'replica', 'a batch of such');
is($bridge->get('/rpc/many?n=3', Accept => 'application/x-ndjson')->{content}, qq("replica"\n) x 3, 'and a stream');
is($bridge->request('POST', '/batch', [ { function => 'server' }, { function => 'add', arguments => { word => 'batch' } } ])->{json}[0]{body}, 'primary', 'not with a call that writes');
is(server(@latest), 'primary', 'latest: the primary');
is($bridge->get('/rpc/server')->{headers}{'consistency-token'}, undef, 'what reads gives no token');
my $bad = $bridge->get('/rpc/server', 'Consistency-Token' => 'yesterday');
is("$bad->{status} $bad->{json}{code}", '400 NX032', 'a token that is none');

# Read your writes
my ($missed, $from_replica) = (0, 0);
for my $n (1 .. 200)
{
	my $written = $bridge->rpc('add', { word => "w$n" });
	like($written->{headers}{'consistency-token'}, qr{^[0-9A-F]+/[0-9A-F]+$}, 'a write gives a token') if $n == 1;
	sleep 0.15 if $n % 20 == 0;
	my $read = $bridge->get("/rpc/has?word=w$n", 'Consistency-Token' => $written->{headers}{'consistency-token'})->{json};
	$missed++ if $read !~ /: true$/;
	$from_replica++ if $read =~ /^replica/;
}
is($missed, 0, 'with the token each of 200 writes is read');
cmp_ok($from_replica, '>=', 8, "$from_replica times from the replica, once it has it");
my $failed = $bridge->rpc('add', { word => 'w1' });
is($failed->{status} . ($failed->{headers}{'consistency-token'} // ''), '409', 'a write that failed gives none');

# Replay stands still
$replica->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
await(sub { $replica->safe_psql('postgres', 'SELECT pg_get_wal_replay_pause_state()') eq 'paused' }, 'replay is paused');
my $token = $bridge->rpc('add', { word => 'late' })->{headers}{'consistency-token'};
is($bridge->get('/rpc/has?word=late')->{json}, 'replica: false', 'without the token the replica answers');
is($bridge->get('/rpc/has?word=late', 'Consistency-Token' => $token)->{json}, 'primary: true', 'with it the primary, which has it');
$primary->safe_psql('postgres', q{CREATE FUNCTION api.young() RETURNS text LANGUAGE sql STABLE RETURN api.server(); NOTIFY nexus});
my $young = $bridge->get('/rpc/young');
is("$young->{status} $young->{json}", '200 primary', 'what the replica does not know yet is asked of the primary');
my $before = metric('passed_over_total');
await(sub { server() eq 'primary' }, 'further behind than db-replica-max-lag: it is passed over');
cmp_ok(metric('lag_seconds'), '>=', 2, 'the metrics show how far');
cmp_ok(metric('passed_over_total'), '>', $before, 'and count it');
$replica->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
await(sub { server() eq 'replica' }, 'used again when it has caught up');
is($bridge->get('/rpc/has?word=late', 'Consistency-Token' => $token)->{json}, 'replica: true', 'with the token as well');

# One request beside others.
sub beside
{
	my ($path, $then) = @_;
	pipe(my $read, my $write) or die "pipe: $!";
	my $pid = fork() // die "fork: $!";
	if (!$pid)
	{
		my $start = time;
		my $answer = $bridge->get($path);
		printf {$write} '%s %s %.1f', $answer->{status}, $answer->{json} // $answer->{content}, time - $start;
		close $write;
		POSIX::_exit(0);
	}
	close $write;
	sleep 0.4;
	$then->();
	my $said = do { local $/; <$read> };
	waitpid($pid, 0);
	return $said;
}

# A query that stands in the way of replay is cancelled there.
$before = metric('failed_total');
like(beside('/rpc/words_slowly?seconds=1.5', sub { $primary->safe_psql('postgres', 'ALTER TABLE api.word ALTER word SET STATISTICS 10, ALTER n SET DEFAULT 0, ALTER n SET DEFAULT nextval($$api.word_n_seq$$)') }),
	qr/^200 primary: 202 /, 'a query cancelled by a conflict with recovery runs at the primary');
is(metric('failed_total'), $before + 1, 'which is counted');
like(PostgreSQL::Test::Utils::slurp_file($replica->logfile), qr/conflict with recovery/, 'there was one');

# It stands still.
await(sub { server() eq 'replica' }, 'the replica serves');
my $postmaster = PostgreSQL::Test::Utils::slurp_file($replica->data_dir . '/postmaster.pid') =~ /^(\d+)/ ? $1 : die 'no postmaster';
my @all = ($postmaster, split ' ', `ps -o pid= --ppid $postmaster`);
my $said = beside('/rpc/slowly?seconds=0.8', sub { kill STOP => @all });
kill CONT => @all;
like($said, qr/^200 primary [0-4]\./, "a replica that stands still: the primary answers soon ($said)");
await(sub { server() eq 'replica' }, 'it goes on');

# It goes away and comes back.
my %status;
my $stopping = time;
$replica->stop('immediate');
while (time < $stopping + 3) { my $answer = $bridge->get('/rpc/server'); $status{"$answer->{status} $answer->{json}"}++; sleep 0.01 }
is(join(', ', sort keys %status), '200 primary', 'a replica that goes away: no request fails');
await(sub { metric('up') eq '0' }, 'the metrics know');
$replica->start;
await(sub { server() eq 'replica' }, 'it is used again when it is back');
is(metric('up'), '1', 'and so the metrics say');

# The primary goes away: what reads goes on.
$primary->stop('immediate');
sleep 0.5;
is(server(), 'replica', 'without the primary the replica serves');
is($bridge->rpc('add', { word => 'lost' })->{status}, 503, 'nothing is written');
is($bridge->get('/rpc/server', @latest)->{status}, 503, 'nor promised');
$primary->start;
await(sub { server(@latest) eq 'primary' }, 'the primary is back');

# A replica that is none any more
$replica->promote;
await(sub { server() eq 'primary' }, 'one that was promoted is used no more');
like($bridge->log_text, qr/it is no replica/, 'the log says why');
is($bridge->stop, 0, 'SIGTERM');
$replica->stop;
$primary->stop;
done_testing();
