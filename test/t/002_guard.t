# The border between C and C++: every kind of failure, 10,000 times, leaves no object and no dead backend behind.
use strict;
use warnings;
use Test::More;
use NexusTest qw(root start_node);

my $node = start_node('guard');
$node->safe_psql('postgres', 'CREATE SCHEMA nexus_guard; CREATE EXTENSION nexus_guard');
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');

# Runs $statement $times times in one session; gives what the last failure said, and what was left of it.
sub provoke
{
	my ($statement, $times) = @_;
	return $node->safe_psql('postgres', <<"SQL");
SET client_min_messages = warning;
CREATE TEMP TABLE said (state text, message text, detail text, hint text, failures int);
DO \$\$
DECLARE s text; m text; d text; h text; failures int := 0;
BEGIN
  FOR i IN 1 .. $times LOOP
    BEGIN
      PERFORM $statement;
    EXCEPTION WHEN OTHERS THEN
      failures := failures + 1;
      GET STACKED DIAGNOSTICS s = RETURNED_SQLSTATE, m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
    END;
  END LOOP;
  INSERT INTO said VALUES (s, m, d, h, failures);
END \$\$;
SELECT concat_ws('|', failures, state, message, detail, hint, 'live=' || nexus_guard.live_objects()) FROM said;
SQL
}

my %kinds = (
	nexus    => 'NX010|raised by the core|The detail.|The hint.',
	standard => 'XX000|raised by a library||',
	memory   => '53200|out of memory||',
	foreign  => 'XX000|unknown C++ exception||',
	postgres => '22012|raised by PostgreSQL|The detail.|The hint.',
	nested   => '22012|raised by PostgreSQL|The detail.|The hint.',
	function => '22P02|invalid input syntax for type integer: "not a number"||',
);
is(provoke("nexus_guard.inject('$_')", 10000), "10000|$kinds{$_}|live=0", "10,000 errors of kind $_")
  for sort keys %kinds;

is( provoke('count(*) FROM (SELECT nexus_guard.rows(1000, 501)) r', 1000),
	'1000|22023|failed at row 501|||live=0',
	'a set-returning function that fails in row 501');
is(provoke('1 FROM (SELECT nexus_guard.rows(1000, 0) LIMIT 5) r', 1000),
	'0|live=0', 'a set-returning function read for five rows');
is( provoke('nexus_guard.collect(v, 501) FROM generate_series(1, 1000) v', 1000),
	'1000|22012|raised by PostgreSQL|The detail.|The hint.|live=0',
	'an aggregate that fails in row 501');
is($node->safe_psql('postgres', 'SELECT nexus_guard.collect(i, 0) FROM generate_series(1, 1000) i'),
	'1000', 'an aggregate that does not fail');
is(provoke('nexus_guard.allocate(1125899906842624)', 100), '100|53200|out of memory|||live=0', 'a request for 1 PiB');

# How late a 300 ms statement_timeout ends a loop of the core. The machine may be busy: the best of five counts.
my $spin = <<'SQL';
DO $$
BEGIN
  PERFORM nexus_guard.spin(1000000000000);
EXCEPTION WHEN query_canceled THEN
  INSERT INTO late VALUES (extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000 - 300);
END $$;
SQL
my $late = $node->safe_psql('postgres',
	"CREATE TEMP TABLE late (ms float8); SET statement_timeout = '300ms';\n"
	  . ($spin x 5)
	  . "RESET statement_timeout; SELECT round(min(ms)::numeric, 1), nexus_guard.live_objects() FROM late;");
my ($ms, $live) = split /\|/, $late;
ok($ms >= 0 && $ms < 10, "statement_timeout ends a core loop $ms ms late");
is($live, 0, 'and leaves no object');

# At the border text is UTF-8, whatever the server's encoding is.
$node->safe_psql('postgres', "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
$node->safe_psql('latin', 'CREATE SCHEMA nexus_guard; CREATE EXTENSION nexus_guard');
is( $node->safe_psql(
		'latin', q{SET client_encoding = 'UTF8'; SELECT nexus_guard.echo('#café'), nexus_guard.utf8_bytes('#café'), octet_length('#café')}),
	'#café|6|5',
	'LATIN1 text crosses the border as UTF-8 and back');

is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $started, 'no backend died');
unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/terminated by signal/, 'and the log says the same');

$node->stop;
done_testing();
