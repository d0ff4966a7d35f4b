# The hashtag model across sessions: what is not committed, not folded, dumped, restored or interrupted by an immediate stop.
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;
use NexusTest qw(root start_node);

my $node = start_node('hashtags', 'fsync = on', 'max_prepared_transactions = 2');
$node->safe_psql('postgres', 'CREATE EXTENSION creatornexus');
$node->append_conf('postgresql.conf', 'nexus.hashtag_min_authors = 1');
$node->append_conf('postgresql.conf', "nexus.as_of = '2100-01-01 00:00:00+00'");
$node->reload;

my $ask = q{SELECT hashtag, round(score::numeric, 12), uses FROM nexus.suggest_hashtags('storm and flood in the old town', max_count => 50)};
my @words = qw(storm flood town old river rain bread oven calm news);

sub teach
{
	my ($from, $to) = @_;
	return join ' ', map {
		my ($a, $b, $c) = @words[ $_ % 10, ($_ * 7 + 3) % 10, ($_ / 10) % 10 ];
		"SELECT nexus.learn_post('$a and $b in $c', '{$b,T$a}', user_id => 'u@{[$_ % 5]}');"
	} $from .. $to;
}

sub answers { return $node->safe_psql('postgres', $ask) }

$node->safe_psql('postgres', teach(1, 40));
my $unfolded = answers();
isnt($unfolded, '', 'posts that wait for the fold are used');
is($node->safe_psql('postgres', 'SELECT nexus.fold_hashtag_stats()'), '40', 'all of them are folded');
is(answers(), $unfolded, 'the fold changes no answer');

# A transaction in flight during a fold: its posts are neither seen nor lost.
$node->safe_psql('postgres', 'BEGIN; ' . teach(41, 45) . q{ PREPARE TRANSACTION 'late'});
$node->safe_psql('postgres', teach(46, 60));
my $before = answers();
is($node->safe_psql('postgres', 'SELECT nexus.fold_hashtag_stats()'), '15', 'a fold takes what is committed');
is(answers(), $before, 'and leaves the rest');
$node->safe_psql('postgres', q{COMMIT PREPARED 'late'});
my $after = answers();
isnt($after, $before, 'what is committed later counts from then on');
is($node->safe_psql('postgres', 'SELECT nexus.fold_hashtag_stats()'), '5', 'and is folded later');
is(answers(), $after, 'with the same answers');

# One session with an old snapshot keeps its answers, then sees the new ones.
my $script = "BEGIN ISOLATION LEVEL REPEATABLE READ; $ask; "
  . q{\! psql -XqAt -d "$NEXUS_CONNECTION" -c "$NEXUS_TEACH" >/dev/null} . "\n $ask; COMMIT; $ask;";
$ENV{NEXUS_CONNECTION} = $node->connstr('postgres');
$ENV{NEXUS_TEACH} = teach(61, 70) . ' SELECT nexus.fold_hashtag_stats()';
my $all = $node->safe_psql('postgres', $script);
my $last = answers();
isnt($last, $after, 'another session taught and folded');
is($all, join("\n", $after, $after, $last), 'an old snapshot keeps its answers, the next one has the new');

# A cursor opened before, read after: its snapshot is older than what the session has seen since.
$ENV{NEXUS_TEACH} = teach(71, 75);
my $cursor = $node->safe_psql('postgres', "BEGIN; DECLARE c CURSOR FOR $ask; "
	  . q{\! psql -XqAt -d "$NEXUS_CONNECTION" -c "$NEXUS_TEACH" >/dev/null} . "\n $ask; FETCH ALL FROM c; COMMIT;");
my $newest = answers();
is($cursor, join("\n", $newest, $last), 'a cursor sees what stood when it was opened');

# Two folds at once: one works, the other leaves.
$node->safe_psql('postgres', teach(76, 80));
my $two = $node->safe_psql('postgres', q{BEGIN; SELECT nexus.fold_hashtag_stats();
\! psql -XqAt -d "$NEXUS_CONNECTION" -c "SELECT nexus.fold_hashtag_stats()"
COMMIT;});
is($two, "10\n0", 'a second fold does not wait');

# An immediate stop with posts folded, waiting and in flight.
$node->safe_psql('postgres', teach(81, 90));
my $whole = answers();
$node->stop('immediate');
$node->start;
is(answers(), $whole, 'an immediate stop loses nothing that was committed');
is($node->safe_psql('postgres', 'SELECT nexus.rebuild_hashtag_model(); ' . $ask), "80\n$whole", 'a recount gives the same');

# Dump and restore, half of it not folded.
my $dump = $node->basedir . '/hashtags.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('copy'), '-f', $dump ], 'restore');
is($node->safe_psql('copy', $ask), $whole, 'the copy answers the same');
is($node->safe_psql('copy', 'SELECT nexus.fold_hashtag_stats(); ' . teach(91, 95) . ' SELECT nexus.fold_hashtag_stats()'),
	"10\n\n\n\n\n\n5", 'and goes on learning');
$node->safe_psql('postgres', 'SELECT nexus.fold_hashtag_stats(); ' . teach(91, 95));
is($node->safe_psql('copy', $ask), answers(), 'as the original does');

# The extension made anew in an open session: nothing of the old model is left in memory.
is($node->safe_psql('copy', "$ask LIMIT 0; SELECT count(*) > 0 FROM ($ask) s; DROP EXTENSION creatornexus; CREATE EXTENSION creatornexus; "
		  . 'SELECT count(*) FROM (' . $ask . ') s'),
	"t\n0", 'a new extension starts empty');

$node->stop;
done_testing();
