# The extension installs, exports its SQL functions only, and survives a restart and a dump.
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;
use NexusTest qw(root start_node);

my $node = start_node('extension');
$node->safe_psql('postgres', 'CREATE EXTENSION creatornexus');
is($node->safe_psql('postgres', q{SELECT nexus.is_timezone('Europe/Berlin')}), 't', 'a function answers');

my @exported = split /\n/, `nm -D --defined-only @{[root()]}/creatornexus.so | awk '\$2 == "T" {print \$3}' | sort`;
my @declared = split /\n/, $node->safe_psql('postgres', q{
	SELECT DISTINCT p.prosrc FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang AND l.lanname = 'c'
	 WHERE p.pronamespace = 'nexus'::regnamespace});
my @expected = sort('Pg_magic_func', '_PG_init', 'nexus_worker_main', map { ($_, "pg_finfo_$_") } @declared);
is_deeply(\@exported, \@expected, 'the library exports the SQL functions, the worker and nothing else');

$node->restart;
is($node->safe_psql('postgres', q{SELECT nexus.is_timezone('UTC')}), 't', 'answers after a restart');

my ($stdout, $stderr) = run_command([ 'pg_dump', '-d', $node->connstr('postgres') ]);
like($stdout, qr/CREATE EXTENSION IF NOT EXISTS creatornexus/, 'a dump names the extension');
unlike($stdout, qr/CREATE FUNCTION nexus\./, 'and holds none of its functions');

$node->stop;
done_testing();
