package NexusTest;

# What TAP and HTTP tests share: a fresh server with the extension and the 16 tables.

use strict;
use warnings;
use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT_OK = qw(root start_node deploy sqitch dump_schema run_psql);

# Where sqitch runs; a test that edits scripts points it to a copy.
our $schema_folder = "$ENV{NEXUS_ROOT}/sql/schema";

sub root { return $ENV{NEXUS_ROOT} }

# A running server that speaks UTC; extra lines go to postgresql.conf.
sub start_node
{
	my ($name, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init;
	$node->append_conf('postgresql.conf', join("\n", "timezone = 'UTC'", 'fsync = off', @settings) . "\n");
	$node->start;
	return $node;
}

# Creates database $db and deploys the schema's changes in plan order, up to change $last if given: by psql, in a fraction
# of sqitch's time and without its registry.
sub deploy
{
	my ($node, $db, $last) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->command_ok(
		[
			root() . '/scripts/psql_deploy.sh', (defined $last ? ('--to', $last) : ()), '-d', $node->connstr($db)
		],
		"deploy $db");
	return;
}

# Runs sqitch on database $db: (exit code, output and errors in one).
sub sqitch
{
	my ($node, $db, $command, @arguments) = @_;
	local $ENV{TZ} = 'UTC';
	my $output = '';
	my $target = 'db:pg://' . $node->host . ':' . $node->port . "/$db";
	$target = "db:pg:///$db?host=" . $node->host . '&port=' . $node->port if $node->host =~ m{^/};
	IPC::Run::run([ 'sqitch', $command, '--target', $target, @arguments ],
		'>&', \$output, init => sub { chdir($schema_folder) or die "$schema_folder: $!" });
	return ($? >> 8, $output);
}

# Runs psql in one session with the given -c and -f arguments: (exit code, output and errors in one).
sub run_psql
{
	my ($node, $db, @arguments) = @_;
	my $output = '';
	IPC::Run::run([ 'psql', '-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db), @arguments ],
		'<', \undef, '>&', \$output, init => sub { chdir($schema_folder) or die "$schema_folder: $!" });
	return ($? >> 8, $output);
}

# The catalogue of database $db as pg_dump prints it, without sqitch's registry and the key that changes with each run.
sub dump_schema
{
	my ($node, $db, @arguments) = @_;
	my ($dump, $errors) = run_command(
		[ 'pg_dump', '--schema-only', '--exclude-schema=sqitch', @arguments, '-d', $node->connstr($db) ]);
	die "pg_dump failed: $errors" if $dump eq '';
	return join "\n", grep { !/^\\(un)?restrict / } split /\n/, $dump;
}

1;
