# What goes wrong under load: the pool is taken, backends die, the server restarts or stands still. Every request is
# answered soon, what was promised happens once, and the service comes back by itself.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use NexusBridge qw(jwt);
use NexusTest qw(start_node deploy);

my $restarts = $ENV{NEXUS_RESTARTS} // 5; # a longer look: NEXUS_RESTARTS=20
my $node = start_node('faults');
deploy($node, 'app');
$node->safe_psql('app', q{
	CREATE SCHEMA api;
	GRANT USAGE ON SCHEMA api TO nexus_app, nexus_anon;
	CREATE TABLE api.entry (word text);
	GRANT SELECT, INSERT ON api.entry TO nexus_app;
	CREATE FUNCTION api.add_word(word text) RETURNS int LANGUAGE sql AS 'INSERT INTO api.entry VALUES (word) RETURNING 1';
	CREATE FUNCTION api.double(n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN 2 * n;
	CREATE FUNCTION api.slow(seconds double precision) RETURNS text LANGUAGE sql AS 'SELECT pg_sleep(seconds)::text';
});
my %settings = (db_schemas => 'api', db_anon_role => 'nexus_anon', server_threads => 1, db_pool => 4, db_pool_max_waiting => 20,
	db_pool_acquisition_timeout => 1, db_statement_timeout => 5000);
my $bridge = NexusBridge->start($node, 'app', 'nexus_bridge', %settings);
ok($bridge->wait_ready, 'ready');

# Runs code in a child; gives a handle. What the code returns are lines of the child's answer.
sub child
{
	my ($code) = @_;
	pipe(my $read, my $write) or die "pipe: $!";
	my $pid = fork() // die "fork: $!";
	if (!$pid)
	{
		close $read;
		print {$write} map { "$_\n" } $code->();
		close $write;
		POSIX::_exit(0);
	}
	close $write;
	return { pid => $pid, out => $read };
}

sub lines_of
{
	my ($job) = @_;
	my @lines = readline($job->{out});
	waitpid($job->{pid}, 0);
	chomp @lines;
	return @lines;
}

# status, seconds, Retry-After
sub timed
{
	my ($answer, $start) = @_;
	return sprintf('%d %.3f %s', $answer->{status}, time - $start, $answer->{headers}{'retry-after'} // '-');
}

# the pool is taken
$bridge->get('/rpc/double?n=1') for 1 .. 3;
my @sleepers = map { child(sub { my $start = time; return timed($bridge->rpc('slow', { seconds => 2.5 }), $start) }) } 1 .. 40;
ok($node->poll_query_until('app', q{SELECT count(*) = 3 FROM pg_stat_activity WHERE wait_event = 'PgSleep'}), 'slow calls have their part of the pool');
my @fast;
for (1 .. 20) { my $start = time; push @fast, [ split / /, timed($bridge->get('/rpc/double?n=1'), $start) ]; sleep 0.02 }
is((grep { $_->[0] == 200 } @fast), 20, 'fast ones are served beside them');
my ($slowest_fast) = sort { $b <=> $a } map { $_->[1] } @fast;
cmp_ok($slowest_fast, '<', 1, "each at once (slowest $slowest_fast s)");
my @answers = map { [ split / /, (lines_of($_))[0] ] } @sleepers;
my %count;
$count{ $_->[0] }++ for @answers;
is($count{200}, 3, 'three of the slow ones run');
cmp_ok($count{503} // 0, '>=', 17, 'those beyond the queue are refused');
is(($count{503} // 0) + ($count{504} // 0), 37, 'the others are told to come again');
is((grep { $_->[0] != 200 && $_->[2] eq '1' } @answers), 37, 'and when');
cmp_ok((sort { $b <=> $a } map { $_->[1] } grep { $_->[0] != 200 } @answers)[0], '<', 2.4, 'none of them waits for the slow ones');
$bridge->stop;

# the server restarts again and again
$bridge = NexusBridge->start($node, 'app', 'nexus_bridge', %settings, server_threads => 2, db_pool => 8, db_pool_max_waiting => 1000);
ok($bridge->wait_ready, 'ready again');
my $until = time + 2 + 2 * $restarts;
my @writers = map {
	my $who = $_;
	child(sub {
		my %headers = (Authorization => 'Bearer ' . jwt(role => 'nexus_app', sub => "user $who"));
		my ($slowest, $done, $away, %other) = (0, 0, 0);
		for (my $n = 0; time < $until; ++$n)
		{
			my $status = 0;
			while ($status != 200)
			{
				my $start = time;
				$status = $bridge->rpc('add_word', { word => "$who $n" }, %headers, 'Idempotency-Key' => "word $n")->{status};
				$slowest = time - $start if time - $start > $slowest;
				$away++ if $status == 503;
				$other{$status}++ if $status != 503 && $status != 200;
				last if time > $until + 10;
				sleep 0.02 if $status != 200;
			}
			$done++ if $status == 200;
		}
		return ($slowest, $done, $away, join ' ', map { "$_: $other{$_}" } sort keys %other);
	});
} 1 .. 6;
my @back;
for (1 .. $restarts)
{
	sleep 1;
	$node->stop('immediate');
	$node->start;
	my $start = time;
	while (time - $start < 10) { last if $bridge->get('/rpc/double?n=1')->{status} == 200; sleep 0.01 }
	push @back, time - $start;
}
my ($slowest, $done, $away, $other) = (0, 0, 0, '');
for my $job (@writers)
{
	my @said = lines_of($job);
	$slowest = $said[0] if $said[0] > $slowest;
	$done += $said[1];
	$away += $said[2];
	$other .= $said[3] // '';
}
is($other, '', "$restarts restarts: requests are answered 200 or 503, nothing else");
cmp_ok($away, '>', 0, "$away of them 503");
diag(sprintf 'slowest answer %.3f s, service back after at most %.3f s', $slowest, (sort { $b <=> $a } @back)[0]);
cmp_ok($slowest, '<', 2, 'soon');
cmp_ok((sort { $b <=> $a } @back)[0], '<', 2, 'the service is back by itself');
is($node->safe_psql('app', 'SELECT count(*) - count(DISTINCT word) FROM api.entry'), '0', 'nothing is done twice');
is($node->safe_psql('app', 'SELECT count(*) FROM api.entry'), $done, 'and all that was answered is there');
$bridge->stop;

# the server stands still
$bridge = NexusBridge->start($node, 'app', 'nexus_bridge', %settings, db_statement_timeout => 300);
ok($bridge->wait_ready, 'ready again');
$bridge->get('/rpc/double?n=1') for 1 .. 3;
my @all = split /\n/, $node->safe_psql('app', q{SELECT pid FROM pg_stat_activity WHERE usename = 'nexus_bridge'});
my $postmaster = PostgreSQL::Test::Utils::slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/ ? $1 : die 'no postmaster';
kill STOP => $postmaster, @all;
my @frozen = map { child(sub { my $start = time; return timed($bridge->rpc('double', { n => 1 }), $start) }) } 1 .. 6;
my @frozen_answers = map { [ split / /, (lines_of($_))[0] // '0 99 -' ] } @frozen;
kill CONT => @all, $postmaster;
is((grep { $_->[0] =~ /^50[34]$/ && $_->[2] eq '1' } @frozen_answers), 6, 'a server that stands still: 503 or 504, and when to come again')
  or diag(join "\n", map { "@$_" } @frozen_answers);
my ($longest) = sort { $b <=> $a } map { $_->[1] } @frozen_answers;
cmp_ok($longest, '<', 9, "none hangs (longest $longest s)");
my $start = time;
while (time - $start < 10) { last if $bridge->get('/rpc/double?n=1')->{status} == 200; sleep 0.02 }
cmp_ok(time - $start, '<', 5, 'served again when it goes on');
is($bridge->stop, 0, 'SIGTERM');
$node->stop;
done_testing();
