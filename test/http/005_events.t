# GET /events: a user's notifications as they are committed, under row security; none lost, none doubled.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time sleep);
use NexusTest qw(start_node);
use NexusBridge qw(jwt);

my $node = start_node('events');
$node->safe_psql('postgres', q{
	CREATE ROLE visitor NOLOGIN;
	CREATE ROLE member NOLOGIN;
	CREATE ROLE gate LOGIN NOINHERIT;
	GRANT visitor, member TO gate;
	CREATE TABLE notifications (id serial PRIMARY KEY, user_id text NOT NULL, title text, owner text);
	ALTER TABLE notifications ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own ON notifications FOR SELECT TO member USING (current_setting('request.jwt.claims')::json->>'sub' = user_id AND owner IS DISTINCT FROM 'hidden');
	GRANT SELECT ON notifications TO member;
	CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('nexus_notifications', json_build_object('user', NEW.user_id, 'id', NEW.id)::text); RETURN NULL; END $$;
	CREATE TRIGGER tell AFTER INSERT ON notifications FOR EACH ROW EXECUTE FUNCTION tell();
	INSERT INTO notifications (user_id, title) VALUES ('u1', 'old');
});
my %settings = (db_schemas => 'public', db_anon_role => 'visitor');
my $bridge = NexusBridge->start($node, 'postgres', 'gate', %settings);
ok($bridge->wait_ready, 'ready');
is($bridge->get('/events')->{status}, 401, 'events need a token');

sub open_events
{
	my ($user, $last) = @_;
	my $socket = $bridge->connect;
	my $token = jwt(role => 'member', sub => $user, exp => time + 600);
	print {$socket} "GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\n" . (defined $last ? "Last-Event-ID: $last\r\n" : '') . "\r\n";
	return { socket => $socket, text => '' };
}

# Reads until the pattern has come; gives all the text so far.
sub read_until
{
	my ($stream, $pattern, $seconds) = @_;
	my $end = time + ($seconds // 10);
	$stream->{socket}->blocking(0);
	while ($stream->{text} !~ $pattern && time < $end)
	{
		my $n = sysread($stream->{socket}, $stream->{text}, 65536, length $stream->{text});
		last if defined $n && $n == 0;
		sleep 0.005 unless $n;
	}
	return $stream->{text};
}
sub insert { my ($user, $title, $owner) = @_; $node->safe_psql('postgres', "INSERT INTO notifications (user_id, title, owner) VALUES ('$user', '$title', '" . ($owner // '') . "')"); return }

my $one = open_events('u1');
like(read_until($one, qr/id: 1\n/), qr{^HTTP/1\.1 200.*text/event-stream.*\nid: 1\n\n}s, 'a stream, and where it begins');
unlike($one->{text}, qr/data:/, 'what is old is not shown');
insert('u1', 'first');
insert('u2', 'not yours');
insert('u1', 'hidden one', 'hidden');
insert('u1', 'second');
my $text = read_until($one, qr/second/);
like($text, qr/id: 2\nevent: notification\ndata: \{"id":2,"user_id":"u1","title":"first"/, 'a new one comes');
unlike($text, qr/not yours|hidden one/, 'others do not');

# the listener ended; what was committed meanwhile comes all the same
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gate'; INSERT INTO notifications (user_id, title) VALUES ('u1', 'third')});
is(() = read_until($one, qr/third/) =~ /third/g, 1, 'a terminated listener loses nothing');

my ($last) = reverse $one->{text} =~ /^id: (\d+)$/mg;
is($bridge->stop, 0, 'the bridge ends with a stream open');
insert('u1', 'while away');
$bridge = NexusBridge->start($node, 'postgres', 'gate', %settings);
ok($bridge->wait_ready, 'ready again');
my $resumed = open_events('u1', $last);
$text = read_until($resumed, qr/while away/);
is(() = $text =~ /data:/g, 1, 'Last-Event-ID: what was missed, once');
like($text, qr/while away/, 'and it is the right one');
$bridge->stop;
$node->stop;
done_testing();
