# Real clients: postgrest-js as it is, lints of the OpenAPI document, a typed client made from it. Needs npm.
use strict;
use warnings;
use File::Copy qw(copy);
use File::Path qw(make_path);
use Test::More;
use NexusTest qw(start_node deploy root);
use NexusBridge qw(jwt);

my $work = root() . '/.run/npm';
make_path($work);
my $sources = root() . '/test/http/clients';
copy($_, $work) || die "$_: $!" for glob("$sources/*");
if (system("cd '$work' && timeout 300 npm install --no-audit --no-fund --ignore-scripts --no-package-lock >npm.log 2>&1") != 0)
{
	plan skip_all => 'npm is not reachable: no real clients';
}

my $node = start_node('clients');
deploy($node, 'app');
$node->safe_psql('app', q{
	CREATE ROLE visitor NOLOGIN;
	CREATE ROLE author NOLOGIN;
	CREATE ROLE gate LOGIN NOINHERIT;
	GRANT visitor, author TO gate;
	CREATE SCHEMA api;
	CREATE SCHEMA other;
	GRANT USAGE ON SCHEMA api, other TO visitor, author;
	CREATE TABLE api.post (id int PRIMARY KEY, title text NOT NULL, secret text);
	INSERT INTO api.post SELECT n, 'post ' || n FROM generate_series(1, 5) n;
	GRANT SELECT ON api.post TO visitor, author;
	CREATE FUNCTION api.add(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
	CREATE FUNCTION api.total(items int[]) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT sum(i) FROM unnest(items) i';
	CREATE FUNCTION api.posts() RETURNS SETOF api.post LANGUAGE sql STABLE AS 'SELECT * FROM api.post ORDER BY id';
	CREATE FUNCTION api.fail() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'it failed' USING DETAIL = 'because', HINT = 'try'; END $$;
	CREATE FUNCTION api.nothing() RETURNS void LANGUAGE sql AS '';
	CREATE FUNCTION api.who() RETURNS text LANGUAGE sql STABLE AS 'SELECT current_user::text';
	CREATE FUNCTION other.where_am_i() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'other'::text $$;
});

my $bridge = NexusBridge->start($node, 'app', 'gate', db_schemas => 'api,other', db_anon_role => 'visitor', url_prefix => '/rest/v1');
ok($bridge->wait_ready, 'ready');
my $tap = run("node postgrest.mjs http://127.0.0.1:$bridge->{port}/rest/v1 " . jwt(role => 'author'));
while ($tap =~ /^(not )?ok \d+ - (.*)$/mg) { ok(!$1, "postgrest-js: $2") }
like($tap, qr/^1\.\.16$/m, 'the suite ran to its end') or diag($tap);
diag($tap) if $tap =~ /^not ok/m;
$bridge->stop;

my $nexus = NexusBridge->start($node, 'app', 'nexus_bridge', db_anon_role => 'nexus_anon');
ok($nexus->wait_ready, 'ready');
my $document = $nexus->get('/', Authorization => 'Bearer ' . jwt(role => 'nexus_app', sub => 'u1'));
is($document->{headers}{'content-type'}, 'application/openapi+json; charset=utf-8', 'the document');
open(my $file, '>', "$work/api.json") || die "api.json: $!";
print {$file} $document->{content};
close $file;
for my $lint (
	[ 'redocly', 'node_modules/.bin/redocly lint --skip-rule=no-server-example.com api.json' ],
	[ 'spectral', 'node_modules/.bin/spectral lint --fail-severity=warn --ruleset spectral.yaml api.json' ],
	[ 'openapi-typescript', 'node_modules/.bin/openapi-typescript api.json -o api.d.ts' ],
	[ 'tsc --strict', 'node_modules/.bin/tsc -p tsconfig.json' ])
{
	my $said = run("$lint->[1]; echo status \$?");
	like($said, qr/status 0\s*\z/, $lint->[0]) or diag(substr($said, 0, 4000));
}
$nexus->stop;
$node->stop;
done_testing();

sub run { my ($command) = @_; return scalar `cd '$work' && REDOCLY_TELEMETRY=off $command 2>&1` }
