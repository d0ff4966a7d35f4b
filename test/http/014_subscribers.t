# Two thousand readers of events: nobody loses or doubles any, while listeners are cut off and the bridge is replaced.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use NexusBridge;
use NexusTest qw(start_node root);

my $count = 2000;
my $node = start_node('subscribers');
$node->safe_psql('postgres', q{
	CREATE ROLE visitor NOLOGIN;
	CREATE ROLE member NOLOGIN;
	CREATE ROLE gate LOGIN NOINHERIT;
	GRANT visitor, member TO gate;
	CREATE TABLE notifications (id serial PRIMARY KEY, user_id text NOT NULL, n int, at double precision);
	CREATE INDEX ON notifications (user_id, id);
	ALTER TABLE notifications ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own ON notifications FOR SELECT TO member USING (current_setting('request.jwt.claims')::json->>'sub' = user_id);
	GRANT SELECT ON notifications TO member;
	CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('nexus_notifications', json_build_object('user', NEW.user_id, 'id', NEW.id)::text); RETURN NULL; END $$;
	CREATE TRIGGER tell AFTER INSERT ON notifications FOR EACH ROW EXECUTE FUNCTION tell();
});
my $port = PostgreSQL::Test::Cluster::get_free_port();
my %settings = (db_schemas => 'public', db_anon_role => 'visitor', server_port => $port);
my $bridge = NexusBridge->start($node, 'postgres', 'gate', %settings);
ok($bridge->wait_ready, 'ready');

my @psql = ('psql', '-X', '-q', '-d', $node->connstr('postgres'));
open(my $crowd, '-|', '/usr/bin/python3', root() . '/test/http/clients/subscribers.py', $port, $count, $NexusBridge::SECRET, @psql) or die "python3: $!";
my %said;
while (my $line = <$crowd>)
{
	chomp $line;
	if ($line eq 'restart')
	{
		is($bridge->stop, 0, 'the bridge ends with all streams open');
		$bridge = NexusBridge->start($node, 'postgres', 'gate', %settings);
		ok($bridge->wait_ready, 'and another one takes its place');
		next;
	}
	note($line);
	my @words = split / /, $line;
	%said = (%said, @words) if @words % 2 == 0;
}
ok(close $crowd, 'the readers end in order');
is($said{open}, $count, "$count streams are open");
is($said{first}, $count, 'each gets its first event');
is($said{cut}, 0, 'terminated listeners: all that was committed arrives');
is($said{lost}, 0, "none of $said{told} is lost");
is($said{doubled}, 0, 'none comes twice');
is($said{strange}, 0, 'none comes to another user');
diag("from before the commit to the first byte: p50 $said{p50} ms, p99 $said{p99} ms, at most $said{max} ms");
is($bridge->stop, 0, 'SIGTERM');
$node->stop;
done_testing();
