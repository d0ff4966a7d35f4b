package NexusTest;

# What TAP and HTTP tests share: a fresh server with the extension and the 16 tables.

use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT_OK = qw(root start_node deploy);

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

# Creates database $db and deploys the schema's changes in plan order, up to change $last if given.
sub deploy
{
	my ($node, $db, $last) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	open(my $plan, '<', root() . '/sql/schema/sqitch.plan') or die "no plan: $!";
	while (<$plan>)
	{
		next unless /^(\w+) /;
		my $change = $1;
		$node->command_ok(
			[
				'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db),
				'-f', root() . "/sql/schema/deploy/$change.sql"
			],
			"deploy $change");
		last if defined $last && $change eq $last;
	}
	close($plan);
	return;
}

1;
