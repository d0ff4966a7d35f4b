# GET /events with the token of a session: its user's notifications, as long as the session holds.
use strict;
use warnings;
use IO::Select;
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(sleep time);
use NexusBridge qw(jwt);
use NexusTest qw(start_node deploy);

my $node = start_node('session_events');
deploy($node, 'app');
my $bridge = NexusBridge->start($node, 'app', 'nexus_bridge', db_schemas => 'nexus', db_anon_role => 'nexus_anon',
	session_keys => 'k1 ' . encode_base64('k' x 32, ''), events_heartbeat => 1);
ok($bridge->wait_ready, 'ready');

sub sign_up
{
	my ($name) = @_;
	my $answer = $bridge->request('POST', '/auth/sign-up', { email => "$name\@example.org", password => 'correct horse battery' });
	return ($answer->{json}{access_token}, $answer->{json}{user}{id});
}
my ($ann_token, $ann) = sign_up('ann');
my ($bob_token, $bob) = sign_up('bob');

sub open_events
{
	my ($token, $last) = @_;
	my $socket = $bridge->connect;
	print {$socket} "GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\n" . (defined $last ? "Last-Event-ID: $last\r\n" : '') . "\r\n";
	return { socket => $socket, text => '' };
}

# Reads until the pattern has come, or the end; true for the end.
sub ends_before
{
	my ($stream, $pattern, $seconds) = @_;
	my $end = time + ($seconds // 10);
	while (time < $end && !($pattern && $stream->{text} =~ $pattern))
	{
		next unless IO::Select->new($stream->{socket})->can_read(0.1);
		return 1 unless sysread($stream->{socket}, $stream->{text}, 65536, length $stream->{text});
	}
	return 0;
}

sub notify
{
	my ($user, $title) = @_;
	return $node->safe_psql('app', "INSERT INTO notifications (user_id, type, title, message) VALUES ('$user', 'system', '$title', 'm') RETURNING id");
}

my $stream = open_events($ann_token);
ok(!ends_before($stream, qr/^retry:/m), 'a stream');
like($stream->{text}, qr{^HTTP/1\.1 200 .*text/event-stream}s, 'of events');
notify($bob, 'for bob');
my $first = notify($ann, 'for ann');
ends_before($stream, qr/for ann/);
like($stream->{text}, qr/^id: $first\nevent: notification\ndata: \{"id":$first,.*"title":"for ann"/m, 'the user is that of the session');
unlike($stream->{text}, qr/for bob/, 'and of no other');
ends_before($stream, qr/heartbeat.*heartbeat/s);
is(() = $stream->{text} =~ /for ann/g, 1, 'looking again at the session sends nothing again');

my $resumed = open_events($ann_token, $first - 1);
ends_before($resumed, qr/for ann/);
is(() = $resumed->{text} =~ /for ann/g, 1, 'Last-Event-ID resumes');
is($bridge->get('/events', Authorization => 'Bearer cn1.k1.' . 'A' x 43)->{status}, 401, 'an invented token gets nothing');

# the session ends
is($bridge->request('POST', '/auth/sign-out', '{}', Authorization => "Bearer $ann_token")->{status}, 204, 'signed out');
notify($ann, 'too late');
ok(ends_before($stream, undef, 5), 'its stream ends');
ok(ends_before($resumed, undef, 5), 'each of them');
unlike($stream->{text} . $resumed->{text}, qr/too late/, 'and tells nothing more');
is($bridge->get('/events', Authorization => "Bearer $ann_token")->{status}, 401, 'it cannot be opened again');

my $idle = open_events($bob_token);
ends_before($idle, qr/^retry:/m);
$node->safe_psql('app', "UPDATE sessions SET expire = now() AT TIME ZONE 'UTC' - interval '1 second' WHERE user_id = '$bob'");
my $start = time;
ok(ends_before($idle, undef, 10), 'a session that expires ends its stream without any event');
cmp_ok(time - $start, '<', 3, 'with the next sign of life');

# so does a JWT
my $short = open_events(jwt(role => 'nexus_app', sub => $bob, exp => int(time) + 2));
ok(!ends_before($short, qr/^retry:/m), 'a token of two seconds');
ok(ends_before($short, undef, 10), 'ends its stream when it ends');
is($bridge->stop, 0, 'SIGTERM');
$node->stop;
done_testing();
