# Long lists: as a stream of lines that keeps to the client's pace, and page by page.
use strict;
use warnings;
use IO::Select;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);
use NexusBridge;
use NexusTest qw(start_node);

my $node = start_node('large');
$node->safe_psql('postgres', q{
	CREATE ROLE visitor NOLOGIN;
	CREATE ROLE gate LOGIN NOINHERIT;
	GRANT visitor TO gate;
	CREATE FUNCTION rows(n int, size int = 1000) RETURNS TABLE(id int, body text) LANGUAGE sql STABLE AS 'SELECT g, repeat(''x'', size) FROM generate_series(1, n) g';
	CREATE FUNCTION numbers(n int) RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT g FROM generate_series(1, n) g';
	CREATE FUNCTION one() RETURNS json STABLE RETURN E'{"a":\n[1,\r\n2]}'::json;
	CREATE FUNCTION breaks(at int) RETURNS TABLE(id int, body text) LANGUAGE sql STABLE AS 'SELECT 1000 / (at - g), repeat(''x'', 1000) FROM generate_series(1, 100000) g';
	CREATE FUNCTION written() RETURNS SETOF int LANGUAGE sql VOLATILE AS 'SELECT g FROM generate_series(1, 3) g';
	CREATE FUNCTION double(n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN 2 * n;
	CREATE TABLE posts (id int PRIMARY KEY, score numeric, title text, at timestamptz, tags jsonb);
	INSERT INTO posts SELECT g, nullif(g % 5, 4) * 1.50, E'a,"b''\\ & ü ' || g % 3, '2026-01-01Z'::timestamptz + g % 4 * interval '1 microsecond', jsonb_build_object('n', g % 6) FROM generate_series(1, 25) g;
	GRANT SELECT ON posts TO visitor;
	CREATE FUNCTION posts_of(lowest int = 0) RETURNS SETOF posts LANGUAGE sql STABLE AS 'SELECT * FROM posts WHERE id >= lowest';
});
my %settings = (db_schemas => 'public', db_anon_role => 'visitor', server_threads => 1, db_pool => 4, max_response => 100000, db_statement_timeout => 60000);
my $bridge = NexusBridge->start($node, 'postgres', 'gate', %settings);
ok($bridge->wait_ready, 'ready');
my @lines = (Accept => 'application/x-ndjson');
my $url = "http://127.0.0.1:$bridge->{port}";

# A stream
my $small = $bridge->get('/rpc/numbers?n=3', @lines);
is("$small->{status} $small->{headers}{'content-type'} $small->{content}", "200 application/x-ndjson 1\n2\n3\n", 'values, one a line');
is($bridge->get('/rpc/rows?n=2&size=2&order=id.desc&limit=1', @lines)->{content}, qq({"id":2,"body":"xx"}\n), 'rows, chosen and ordered');
is($bridge->get('/rpc/numbers?n=0', @lines)->{content}, '', 'none');
is($bridge->get('/rpc/one', @lines)->{content}, qq({"a": [1,  2]}\n), 'a line stays one');
is($bridge->request('POST', '/rpc/written', '{}', @lines)->{content}, "1\n2\n3\n", 'what writes is answered whole');
is($bridge->request('HEAD', '/rpc/numbers?n=3', undef, @lines)->{headers}{'content-type'}, 'application/x-ndjson', 'HEAD');
is($bridge->get('/rpc/breaks?at=1', @lines)->{json}{code}, '22012', 'an error before the first line is an error');
is($bridge->get('/rpc/rows?n=1&size=200000', @lines)->{status}, 500, 'a row beyond max-response is one too');

sub memory { open(my $status, '<', "/proc/$bridge->{pid}/status") or die; my ($kb) = join('', <$status>) =~ /VmHWM:\s+(\d+) kB/; return $kb / 1024 }
my $before = memory();
my $few = NexusBridge::is_sanitized() ? 1000 : 16; # a sanitizer keeps what was freed for a while
my ($count, $bytes) = `curl -sS -H 'Accept: application/x-ndjson' '$url/rpc/rows?n=100000' | wc -lc` =~ /(\d+)/g;
is($count, 100000, 'a hundred thousand lines');
cmp_ok($bytes, '>', 100_000_000, 'of a hundred megabytes');
cmp_ok(memory() - $before, '<', $few, sprintf('in few of its own (%.1f MB)', memory() - $before));

# The client's pace is the server's.
my $socket = $bridge->connect;
print {$socket} "GET /rpc/rows?n=50000 HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\nGET /rpc/double?n=21 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
sysread($socket, my $text, 1000);
like($text, qr{^HTTP/1\.1 200 .*^Transfer-Encoding: chunked\r$}ms, 'chunked');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'ClientWrite'}), 'a client that does not read: the server waits');
my $start = time;
is($bridge->get('/rpc/double?n=4')->{content}, '8', 'others are served beside it');
cmp_ok(time - $start, '<', 1, 'at once');
sleep 0.5;
cmp_ok(memory() - $before, '<', $few, 'nothing gathers here');
while (sysread($socket, $text, 1 << 20, length $text)) { }
is(() = $text =~ /"id":\d+/g, 50000, 'when it reads on, all comes');
like($text, qr/\r\n0\r\n\r\nHTTP\/1\.1 200 .*42$/s, 'to its marked end, and the next answer behind it');

# Cut off
my $curl = system("curl -sS -o $PostgreSQL::Test::Utils::log_path/cut -H 'Accept: application/x-ndjson' '$url/rpc/breaks?at=5000' 2>/dev/null") >> 8;
is($curl, 18, 'an error in the middle: the client sees that the answer is not whole');
my $why = qr/"path":"\/rpc\/breaks","status":200.*"sqlstate":"22012"/;
for (1 .. 100) { last if $bridge->log_text =~ $why; sleep 0.02 }
like($bridge->log_text, $why, 'and the log says why');
for my $how ('leaves', 'leaves without a word')
{
	$socket = $bridge->connect;
	print {$socket} "GET /rpc/rows?n=100000 HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n";
	sysread($socket, $text, 1000);
	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'ClientWrite'});
	setsockopt($socket, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack('ii', 1, 0)) if $how ne 'leaves';
	close $socket;
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'gate' AND state = 'active'}), "a client that $how ends its query");
}
is(join(' ', map { $bridge->get("/rpc/double?n=$_")->{content} } 1 .. 8), '2 4 6 8 10 12 14 16', 'the connections are clean');
$socket = $bridge->connect;
print {$socket} "GET /rpc/rows?n=50000 HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n";
sysread($socket, $text, 1000);
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gate' AND state = 'active'});
while (sysread($socket, $text, 1 << 20, length $text)) { }
unlike($text, qr/\r\n0\r\n\r\n$/, 'the server ends in the middle: no marked end');
like($bridge->raw("GET /rpc/numbers?n=20000 HTTP/1.0\r\nAccept: application/x-ndjson\r\n\r\n"), qr/^HTTP\/1\.1 200(?!.*chunked).*\r\n\r\n1\n2\n.*20000\n$/s, 'HTTP/1.0: the end is the end');

# Page by page
sub pages
{
	my ($path, %headers) = @_;
	my (@rows, $pages);
	while (defined $path && ++$pages < 30)
	{
		my $answer = $bridge->get($path, Prefer => 'paging=keyset', %headers);
		if ($answer->{status} != 200) { diag($answer->{content}); return $answer }
		push @rows, @{ $answer->{json} };
		($path) = ($answer->{headers}{link} // '') =~ /^<(.*)>; rel="next"$/;
	}
	return { rows => \@rows, pages => $pages };
}
my $canonical = JSON::PP->new->canonical;
for my $order ('id', 'score,id', 'score.desc,id.desc', 'score.asc.nullsfirst,id.desc', 'score.desc.nullslast,title,id', 'at.desc,title.desc,id', 'tags->n.desc,id', 'tags->>n,score.nullsfirst,id')
{
	my $whole = $bridge->get("/rpc/posts_of?order=$order&select=id,score")->{json};
	my $paged = pages("/rpc/posts_of?order=$order&limit=4&select=id,score");
	is($canonical->encode($paged->{rows}), $canonical->encode($whole), "by $order: all rows, each once, in order");
	is($paged->{pages}, 7, 'in seven pages') if $order eq 'id';
}
is(@{ pages('/rpc/posts_of?lowest=6&order=id&limit=5&id=lte.15')->{rows} }, 10, 'arguments and filters go along');
is(pages('/rpc/posts_of?order=id&limit=25')->{pages}, 1, 'no page behind the last row');
my $page = $bridge->get('/rpc/posts_of?order=id&limit=3&select=id', Prefer => 'paging=keyset');
is($page->{content}, qq([{"id":1}, \n {"id":2}, \n {"id":3}]), 'a page is an answer like any other');
is($page->{headers}{'preference-applied'}, 'paging=keyset', 'that says what it heeds');
my ($link) = $page->{headers}{link} =~ /<(.*)>/;
is($bridge->get($link, Accept => 'text/csv')->{content}, "id\n4\n5\n6", 'as CSV');
$node->safe_psql('postgres', 'INSERT INTO posts (id) VALUES (0)');
is($bridge->get($link)->{content}, qq([{"id":4}, \n {"id":5}, \n {"id":6}]), 'what comes in before does not move it');
is($bridge->get('/rpc/posts_of?order=score&limit=4', Prefer => 'paging=keyset')->{status}, 400, 'an order that would miss rows is refused');
my ($token) = $link =~ /page-token=(.*)/;
for my $wrong ("order=id.desc&limit=3&page-token=$token", "order=id&limit=3&page-token=x", "limit=3&page-token=$token", "order=id&page-token=$token", "order=id&limit=3&offset=3&page-token=$token")
{
	is($bridge->get("/rpc/posts_of?$wrong")->{json}{code}, 'PGRST100', "refused: $wrong");
}
is($bridge->get('/rpc/double?n=1&limit=1&order=x', Prefer => 'paging=keyset')->{status}, 400, 'a value has no pages');
is($bridge->get('/rpc/posts_of?order=id&limit=4')->{headers}{link}, undef, 'nobody gets a Link who has not asked');
is($bridge->stop, 0, 'SIGTERM');
$node->stop;
done_testing();
