# The extension's functions over HTTP, in the schema that is exposed by default.
use strict;
use warnings;
use Test::More;
use NexusTest qw(start_node);
use NexusBridge;

my $node = start_node('extension_http');
$node->safe_psql('postgres', q{
	CREATE EXTENSION creatornexus;
	CREATE ROLE web_visitor NOLOGIN;
	CREATE ROLE web_gate LOGIN NOINHERIT;
	GRANT web_visitor TO web_gate;
	GRANT USAGE ON SCHEMA nexus TO web_visitor;
});
my $bridge = NexusBridge->start($node, 'postgres', 'web_gate', db_anon_role => 'web_visitor');
ok($bridge->wait_ready, 'ready');
is($bridge->get('/rpc/is_timezone?tz=Europe/Berlin')->{content}, 'true', 'GET');
is($bridge->rpc('is_timezone', { tz => 'Mars/Base' })->{content}, 'false', 'POST');
is($bridge->rpc('is_timezon', { tz => 'UTC' })->{json}{hint}, 'Perhaps you meant to call the function nexus.is_timezone', 'a wrong name');
$bridge->stop;
$node->stop;
done_testing();
