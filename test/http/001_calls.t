# Functions over HTTP: arguments, results, roles, transactions, errors.
use strict;
use warnings;
use FindBin;
use Test::More;
use NexusTest qw(start_node);
use NexusBridge qw(jwt);

my $node = start_node('calls');
$node->safe_psql('postgres', 'CREATE DATABASE app');
$node->safe_psql('app', q{
	CREATE ROLE visitor NOLOGIN;
	CREATE ROLE author NOLOGIN;
	CREATE ROLE outsider NOLOGIN;
	CREATE ROLE gate LOGIN NOINHERIT;
	GRANT visitor, author TO gate;
	ALTER ROLE author SET statement_timeout = '777ms';
	CREATE SCHEMA api;
	GRANT USAGE ON SCHEMA api TO visitor, author;
	CREATE TYPE api.mood AS ENUM ('calm', 'loud');
	CREATE DOMAIN api."text/html" AS text;
	CREATE TABLE api.post (id int PRIMARY KEY, title text NOT NULL, secret text CHECK (secret <> 'bad'), tags jsonb DEFAULT '{}');
	INSERT INTO api.post SELECT n, 'post ' || n, 'hush', jsonb_build_object('n', n) FROM generate_series(1, 5) n;
	GRANT SELECT, INSERT ON api.post TO visitor, author;
	CREATE FUNCTION api.add(a int, b int DEFAULT 10) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
	CREATE FUNCTION api.kinds(i bigint, n numeric, t text, b boolean, d date, m api.mood, l int[], j jsonb, o json)
		RETURNS jsonb LANGUAGE sql STABLE AS $$ SELECT jsonb_build_object('i', i, 'n', n, 't', t, 'b', b, 'd', d, 'm', m, 'l', l, 'j', j, 'o', o) $$;
	CREATE FUNCTION api.posts(below int DEFAULT 100) RETURNS SETOF api.post LANGUAGE sql STABLE AS 'SELECT * FROM api.post WHERE id < below ORDER BY id';
	CREATE FUNCTION api.upper_title(api.post) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1.title)';
	CREATE FUNCTION api.pair() RETURNS TABLE (page int, pgrst_call text) LANGUAGE sql IMMUTABLE AS $$ SELECT 1, 'a' $$;
	CREATE FUNCTION api.nothing() RETURNS void LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM set_config('response.headers', '[{"X-Ran": "yes"}]', true); END $$;
	CREATE FUNCTION api.no_value() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT NULL::int';
	CREATE FUNCTION api.add_post(id int, title text, secret text DEFAULT NULL) RETURNS int LANGUAGE sql AS 'INSERT INTO api.post VALUES (id, title, secret) RETURNING id';
	CREATE FUNCTION api.who() RETURNS json LANGUAGE sql STABLE AS $$ SELECT json_build_object('role', current_user,
		'claims', current_setting('request.jwt.claims')::json, 'path', current_setting('search_path'),
		'method', current_setting('request.method'), 'timeout', current_setting('statement_timeout'),
		'header', current_setting('request.headers')::json->>'x-mine', 'read_only', current_setting('transaction_read_only')) $$;
	CREATE FUNCTION api.only_author() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
	REVOKE EXECUTE ON FUNCTION api.only_author() FROM PUBLIC;
	GRANT EXECUTE ON FUNCTION api.only_author() TO author;
	CREATE FUNCTION api.fail(state text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'it failed' USING ERRCODE = state, DETAIL = 'because', HINT = 'try'; END $$;
	CREATE FUNCTION api.leave_behind() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('nexus.mark', 'x', true); PERFORM 1/0; END $$;
	CREATE FUNCTION api.left_behind() RETURNS json LANGUAGE sql STABLE AS $$ SELECT json_build_object('mark', nullif(current_setting('nexus.mark', true), ''), 'role', current_user) $$;
	CREATE FUNCTION api.html() RETURNS api."text/html" LANGUAGE sql IMMUTABLE AS $$ SELECT '<p>hi</p>'::api."text/html" $$;
	CREATE FUNCTION api.raw(bytea) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT length($1)';
	CREATE FUNCTION api.rec() RETURNS record LANGUAGE sql STABLE AS 'SELECT id, title FROM api.post WHERE id = 1';
	CREATE FUNCTION api.slow(seconds double precision) RETURNS text LANGUAGE sql AS $$ SELECT pg_sleep(seconds)::text $$;
});
my %roles = (db_schemas => 'api', db_anon_role => 'visitor', db_tx_end => 'commit-allow-override', db_statement_timeout => 1500);
my $bridge = NexusBridge->start($node, 'app', 'gate', %roles);
ok($bridge->wait_ready, 'ready');

# arguments
is($bridge->rpc('add', { a => 1, b => 2 })->{content}, '3', 'arguments by name');
is($bridge->rpc('add', { a => 1 })->{content}, '11', 'a default');
is($bridge->get('/rpc/add?a=1&b=2')->{content}, '3', 'GET');
is($bridge->request('POST', '/rpc/add', 'a=4&b=5', 'Content-Type' => 'application/x-www-form-urlencoded')->{content}, '9', 'a form');
is($bridge->request('POST', '/rpc/add', '{"a": 1, "a": 7, "b": 0}')->{content}, '7', 'of a repeated key the last counts');
my %kinds = (i => 9007199254740993, n => '12345678901234567890.5', t => "it's \"q\" \\ \x{20ac}", b => JSON::PP::true, d => '2026-03-01',
	m => 'loud', l => [ 1, 2 ], j => { k => [ 1, undef ] }, o => 'plain');
my $kinds = $bridge->rpc('kinds', \%kinds);
is($kinds->{status}, 200, 'all kinds of types') or diag($kinds->{content});
like($kinds->{content}, qr/"n": 12345678901234567890\.5/, 'numbers keep their digits');
is($kinds->{json}{t}, $kinds{t}, 'text arrives as it is');
is_deeply($kinds->{json}{l}, [ 1, 2 ], 'an array');
is_deeply($kinds->{json}{j}, { k => [ 1, undef ] }, 'an object');
is($kinds->{json}{o}, 'plain', 'a JSON string for a json argument');
my $inject = q{'); DROP TABLE api.post; --};
is($bridge->rpc('kinds', { %kinds, t => $inject })->{json}{t}, $inject, 'SQL in a value stays a value');
is($bridge->request('POST', '/rpc/raw', "\x00\xff\x01", 'Content-Type' => 'application/octet-stream')->{content}, '3', 'a raw body');

# results
is_deeply($bridge->get('/rpc/posts?below=3&select=id,upper_title,n:tags->n')->{json},
	[ { id => 1, upper_title => 'POST 1', n => 1 }, { id => 2, upper_title => 'POST 2', n => 2 } ], 'rows, columns, computed columns');
is_deeply($bridge->get('/rpc/posts?order=id.desc&limit=2&id=lt.5&select=id')->{json}, [ { id => 4 }, { id => 3 } ], 'order, limit, filter');
is_deeply($bridge->get('/rpc/posts?or=(id.eq.1,title.like.*5)&select=id')->{json}, [ { id => 1 }, { id => 5 } ], 'a logic tree');
is_deeply($bridge->get('/rpc/posts?id=in.(2,4)&title=not.is.null&select=id')->{json}, [ { id => 2 }, { id => 4 } ], 'in, is');
is_deeply($bridge->get('/rpc/posts?tags->n=eq.3&select=id')->{json}, [ { id => 3 } ], 'a filter inside of jsonb');
my $page = $bridge->get('/rpc/posts?limit=2&offset=1', Prefer => 'count=exact');
is("$page->{status} $page->{headers}{'content-range'}", '206 1-2/5', 'a page with its total');
is_deeply($bridge->get('/rpc/pair')->{json}, [ { page => 1, pgrst_call => 'a' } ], 'column names that look like ours');
is_deeply($bridge->get('/rpc/rec')->{json}, { id => 1, title => 'post 1' }, 'a record');
is($bridge->get('/rpc/no_value')->{content}, 'null', 'null');
my $void = $bridge->get('/rpc/nothing');
is("$void->{status}|$void->{content}|" . ($void->{headers}{'content-length'} // ''), '204||', 'void');
is($void->{headers}{'x-ran'}, 'yes', 'and it ran');
is($bridge->get('/rpc/posts?below=3&select=id,title', Accept => 'text/csv')->{content}, "id,title\n1,\"post 1\"\n2,\"post 2\"", 'CSV');
my $one = $bridge->get('/rpc/posts?id=eq.2&select=id', Accept => 'application/vnd.pgrst.object+json');
is_deeply($one->{json}, { id => 2 }, 'a single object');
is($bridge->get('/rpc/posts', Accept => 'application/vnd.pgrst.object+json')->{status}, 406, 'but not of five rows');
my $html = $bridge->get('/rpc/html', Accept => 'text/html');
is("$html->{headers}{'content-type'} $html->{content}", 'text/html <p>hi</p>', 'a media type of its own');
my $head = $bridge->request('HEAD', '/rpc/posts');
is("$head->{status}|$head->{content}|$head->{headers}{'content-range'}", '200||0-4/*', 'HEAD');

# who
my $who = $bridge->get('/rpc/who', 'X-Mine' => 'hello')->{json};
is($who->{role}, 'visitor', 'the anonymous role');
is_deeply($who->{claims}, { role => 'visitor' }, 'and its claims');
is("$who->{method} $who->{header} $who->{read_only} $who->{timeout}", 'GET hello on 1500ms', 'the context of the request');
my $token = jwt(role => 'author', sub => 'u1', exp => time + 60);
$who = $bridge->rpc('who', {}, Authorization => "Bearer $token")->{json};
is("$who->{role} $who->{claims}{sub} $who->{timeout}", 'author u1 777ms', 'a token, and the settings of its role');
my %as_author = (Authorization => 'Bearer ' . jwt(role => 'author', sub => 'u1'));
my $slow = $bridge->rpc('slow', { seconds => 1 }, %as_author);
is("$slow->{status} $slow->{json}{code}", '500 57014', 'the statement_timeout of a role ends its calls');
is($bridge->rpc('slow', { seconds => 1 })->{status}, 200, 'and no others');
is($bridge->get('/rpc/only_author', Authorization => "Bearer $token")->{status}, 200, 'a right of the role');
my $denied = $bridge->get('/rpc/only_author');
is("$denied->{status} $denied->{headers}{'www-authenticate'}", '401 Bearer', 'which the anonymous one lacks');
is($bridge->get('/rpc/who', Authorization => 'Bearer ' . jwt(role => 'author', exp => time - 60))->{json}{message}, 'JWT expired', 'an old token');
is($bridge->get('/rpc/who', Authorization => "Bearer ${token}x")->{status}, 401, 'a forged one');
is($bridge->get('/rpc/who', Authorization => 'Bearer ' . jwt(role => 'nobody'))->{status}, 401, 'a role that does not exist');
is($bridge->get('/rpc/who', Authorization => 'Bearer ' . jwt(role => 'outsider'))->{status}, 403, 'a role that the login may not take');
is($bridge->get('/rpc/who', Authorization => 'Bearer ' . jwt(role => 'postgres'))->{status}, 403, 'nor the superuser');

# transactions
my $write = $bridge->get('/rpc/add_post?id=50&title=x');
is("$write->{status} $write->{json}{code}", '405 25006', 'GET does not write');
is($bridge->rpc('add_post', { id => 50, title => 'x' }, Prefer => 'tx=rollback')->{content}, '50', 'a rehearsal answers');
is($node->safe_psql('app', 'SELECT count(*) FROM api.post WHERE id = 50'), '0', 'and leaves nothing');
is($bridge->rpc('add_post', { id => 50, title => 'x' })->{content}, '50', 'a write');
is($node->safe_psql('app', 'SELECT count(*) FROM api.post WHERE id = 50'), '1', 'stays');
is($bridge->rpc('add_post', { id => 50, title => 'x' })->{status}, 409, 'twice is a conflict');
my $check = $bridge->rpc('add_post', { id => 51, title => 'x', secret => 'bad' });
is("$check->{status} $check->{json}{code}", '400 23514', 'a failed CHECK');
is($check->{json}{details}, undef, 'does not print the row');
my $null = $bridge->rpc('add_post', { id => 52, secret => 'very private', title => undef });
unlike($null->{content}, qr/very private/, 'nor does a failed NOT NULL');
is($bridge->rpc('leave_behind')->{status}, 400, 'an error in the middle');
is_deeply($bridge->get('/rpc/left_behind', Authorization => "Bearer $token")->{json}, { mark => undef, role => 'author' }, 'leaves the session clean') for 1 .. 9;
my $late = $bridge->rpc('slow', { seconds => 5 });
is("$late->{status} $late->{json}{code}", '500 57014', 'the statement timeout ends it');

# errors
my %status = (NX001 => 422, NX002 => 409, NX003 => 403, NX010 => 422, NX011 => 400, NX020 => 409, P0001 => 400, '22023' => 400, '40001' => 500, PT418 => 418);
for my $state (sort keys %status)
{
	my $answer = $bridge->rpc('fail', { state => $state });
	is($answer->{status}, $status{$state}, "$state is $status{$state}");
	is_deeply($answer->{json}, { code => $state, message => 'it failed', details => 'because', hint => 'try' }, "$state with its fields");
}

# the schema cache
is($bridge->get('/rpc/young')->{status}, 404, 'no such function');
$node->safe_psql('app', q{CREATE FUNCTION api.young() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'});
$node->safe_psql('app', q{NOTIFY pgrst, 'reload schema'});
ok($node->poll_query_until('app', 'SELECT true') && wait_status('/rpc/young', 200), 'NOTIFY makes it known');
$node->safe_psql('app', q{CREATE FUNCTION api.younger() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'});
$bridge->signal('USR1');
ok(wait_status('/rpc/younger', 200), 'so does SIGUSR1');
$node->safe_psql('app', q{CREATE FUNCTION api.youngest() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'});
sleep 2;
is($bridge->get('/rpc/youngest')->{status}, 200, 'and the call itself, a second after the last reload');

# profiles and CORS
my $two = NexusBridge->start($node, 'app', 'gate', %roles, db_schemas => 'api,public');
ok($two->wait_ready, 'two schemas');
is($two->get('/rpc/add?a=1', 'Accept-Profile' => 'api')->{headers}{'content-profile'}, 'api', 'the profile comes back');
my $profile = $two->rpc('add', { a => 1 }, 'Content-Profile' => 'secret');
is("$profile->{status} $profile->{json}{hint}", '406 Only the following schemas are exposed: api, public', 'another one is refused');
is($bridge->request('OPTIONS', '/rpc/add', undef, Origin => 'http://a', 'Access-Control-Request-Method' => 'POST')->{headers}{'access-control-allow-origin'}, '*', 'preflight');
unlike($bridge->log_text, qr/\Q$NexusBridge::SECRET\E|\Q$token\E|hush|very private/, 'no secret in the log');

is($bridge->stop, 0, 'SIGTERM ends it in order');
$two->stop;
$node->stop;
done_testing();

sub wait_status
{
	my ($path, $status) = @_;
	for (1 .. 100)
	{
		return 1 if $bridge->get($path)->{status} == $status;
		Time::HiRes::sleep(0.05);
	}
	return 0;
}
