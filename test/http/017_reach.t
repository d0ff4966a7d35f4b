# What can be called over HTTP: what is granted, and nothing else of all that the schema has. And how much work the
# bridge does for those who are nobody.
use strict;
use warnings;
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use Test::More;
use NexusBridge qw(jwt);
use NexusTest qw(start_node deploy);

my $node = start_node('reach', "track_functions = 'all'");
deploy($node, 'app');
my %settings = (db_schemas => 'nexus', db_anon_role => 'nexus_anon', session_keys => 'k1 ' . encode_base64('k' x 32, ''),
	admin_server_port => PostgreSQL::Test::Cluster::get_free_port(), rate_limit_sign_in => 0);
my $bridge = NexusBridge->start($node, 'app', 'nexus_bridge', %settings);
ok($bridge->wait_ready, 'ready');
my %app = (Authorization => 'Bearer ' . jwt(role => 'nexus_app', sub => 'ann'));

# Every function of the schema with the arguments that a client could give; those that another one of the same name
# shares are as closed as they are.
my $functions = decode_json($node->safe_psql('app', q{
	SELECT json_agg(json_build_object('name', p.proname, 'arguments', p.arguments, 'app', p.app, 'anon', p.anon) ORDER BY p.proname)
	FROM (SELECT p.oid, p.proname::text,
			ARRAY(SELECT p.proargnames[i] FROM generate_series(1, p.pronargs) i) AS arguments,
			bool_or(has_function_privilege('nexus_app', p.oid, 'EXECUTE')) OVER w AS app,
			bool_or(has_function_privilege('nexus_anon', p.oid, 'EXECUTE')) OVER w AS anon
		FROM pg_proc p WHERE p.pronamespace = 'nexus'::regnamespace AND p.prokind = 'f' WINDOW w AS (PARTITION BY p.proname)) p
}));
my %calls = map { ("$_->{name}(" . join(', ', map { $_ // '' } @{ $_->{arguments} }) . ')') => $_ } @$functions;
cmp_ok(scalar keys %calls, '>', 200, scalar(keys %calls) . ' functions');
is($node->safe_psql('app', q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'nexus'::regnamespace AND prosecdef
	AND has_function_privilege('public', oid, 'EXECUTE') AND prorettype <> 'trigger'::regtype}), '0', 'none that works with the rights of its owner is open to everybody');

sub closed_to
{
	my ($role, %headers) = @_;
	$node->safe_psql('app', 'SELECT pg_stat_reset()');
	my ($closed, @open) = (0);
	for my $name (sort keys %calls)
	{
		my $function = $calls{$name};
		next if $function->{$role};
		my %arguments = map { ($_ => undef) } grep { defined && length } @{ $function->{arguments} };
		my $answer = $bridge->rpc($function->{name}, \%arguments, %headers);
		my $refused = $answer->{status} == 404 && $answer->{json}{code} =~ /^PGRST20[23]$/
		  || $answer->{status} == 300 && $answer->{json}{code} eq 'PGRST203'
		  || $answer->{status} == ($role eq 'anon' ? 401 : 403) && $answer->{json}{message} =~ /^permission denied for (?:function|schema) /;
		if ($refused) { $closed++ } else { push @open, "$name: $answer->{status} $answer->{content}" }
	}
	is("@open", '', "$role: all $closed that are not granted are refused");
	cmp_ok($closed, '>', 20, 'which are some');
	my @names = map { "'$_->{name}'" } grep { !$_->{$role} } values %calls;
	is($node->safe_psql('app', "SELECT pg_stat_force_next_flush(); SELECT string_agg(DISTINCT funcname::text, ' ') FROM pg_stat_user_functions WHERE calls > 0 AND funcname::text IN (" . join(', ', @names) . ')') =~ s/\s+//gr,
		'', 'and none of them has run');
}
closed_to('app', %app);
closed_to('anon');
is($bridge->rpc('session_claims', {}, %app, 'Content-Profile' => 'pg_catalog')->{json}{code}, 'PGRST106', 'no other schema');
is($bridge->rpc('pg_sleep', { seconds => 1 }, %app)->{status}, 404, 'nothing of the system');

# Who is nobody costs as much as who is somebody, so that the time says nothing.
sub hashed
{
	my ($name, $email, $password, $status) = @_;
	my $count = sub { HTTP::Tiny->new->get("http://127.0.0.1:$settings{admin_server_port}/metrics")->{content} =~ /^nexus_bridge_passwords_hashed_total (\d+)$/m ? $1 : -1 };
	my $before = $count->();
	my $answer = $bridge->request('POST', "/auth/$name", { email => $email, password => $password });
	is($answer->{status}, $status, "$name $email: $status");
	is($count->() - $before, 1, 'one password is hashed');
	return $answer;
}
$bridge->request('POST', '/auth/sign-in', { email => 'first@example.org', password => 'not counted' });
hashed('sign-up', 'ann@example.org', 'correct horse battery', 201);
hashed('sign-up', 'ann@example.org', 'correct horse battery', 409);
hashed('sign-in', 'ann@example.org', 'correct horse battery', 200);
my $wrong = hashed('sign-in', 'ann@example.org', 'wrong horse battery', 401);
my $nobody = hashed('sign-in', 'nobody@example.org', 'wrong horse battery', 401);
is($wrong->{content}, $nobody->{content}, 'and the answer is the same');
is($bridge->stop, 0, 'SIGTERM');
$node->stop;
done_testing();
