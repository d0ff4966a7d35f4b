# AI workers that are killed at random, and a database that is restarted: each task ends exactly once, and the tokens that
# are booked are those of the attempts that ended. A log of the test's own, written by trigger, says which did.
# NEXUS_AI_KILLS and NEXUS_AI_TASKS: how much; NEXUS_CRASH_SEED: which random numbers.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use NexusTest qw(start_node deploy);
use NexusPublisher qw(wait_for);
use NexusAi qw(provider requests seed_ai);

my $kills = $ENV{NEXUS_AI_KILLS} // 30;
my $tasks = $ENV{NEXUS_AI_TASKS} // 4 * $kills;
my $seed = $ENV{NEXUS_CRASH_SEED} // int(time);
srand($seed);
note("seed $seed");
my $node = start_node('ai_worker_crash', 'max_connections = 60');
deploy($node, 'app');
my $port = provider();
seed_ai($node, $port);
$node->safe_psql('app', q{
	CREATE TABLE ended (task integer, job_state text, reaped boolean);
	CREATE FUNCTION note_end() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
	BEGIN
	  INSERT INTO public.ended VALUES (NEW.ref_id, NEW.state, NEW.last_error ->> 'code' IS NOT DISTINCT FROM 'lease_expired' AND NEW.state <> 'done'
	    AND NEW.last_error IS DISTINCT FROM OLD.last_error);
	  RETURN NULL;
	END $$;
	CREATE TRIGGER note_end AFTER UPDATE ON nexus.jobs FOR EACH ROW WHEN (OLD.state = 'leased' AND NEW.state <> 'leased' AND NEW.kind = 'ai_task') EXECUTE FUNCTION note_end();
	CREATE TABLE completed (task integer);
	CREATE FUNCTION note_completed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO public.completed VALUES (NEW.id); RETURN NULL; END $$;
	CREATE TRIGGER note_completed AFTER UPDATE ON ai_generation_tasks FOR EACH ROW WHEN (OLD.status <> NEW.status AND NEW.status IN ('completed', 'failed', 'cancelled')) EXECUTE FUNCTION note_completed();
});

# Each third task gets an answer of another shape first; answers take up to 0.4 s.
sub add
{
	my ($from, $to) = @_;
	$node->safe_psql('app', qq{INSERT INTO ai_generation_tasks (id, user_id, task_type, prompt)
	SELECT i, 'ann', 'caption', concat('n=', i, ' slow=', round((0.4 * random())::numeric, 2), CASE WHEN i % 3 = 0 THEN ' wrong=1' END) FROM generate_series($from, $to) i});
	return;
}
# Neither the delay between attempts nor the number of attempts is what is tested here.
sub hasten
{
	$node->safe_psql('app', q{UPDATE nexus.jobs SET run_at = now(), max_attempts = 100 WHERE kind = 'ai_task' AND state = 'ready' AND run_at > now(); UPDATE nexus.jobs SET max_attempts = 100 WHERE kind = 'ai_task' AND max_attempts < 100 AND state IN ('ready', 'leased'); NOTIFY nexus_jobs});
	return;
}
sub check
{
	my ($what, $from, $to) = @_;
	my $end = time + 120;
	my $open;
	do { hasten(); sleep 0.2; $open = $node->safe_psql('app', "SELECT count(*) FROM ai_generation_tasks WHERE id BETWEEN $from AND $to AND status IN ('pending', 'processing')") } while ($open > 0 && time < $end);
	is($open, '0', "$what: every task has ended");
	is($node->safe_psql('app', "SELECT string_agg(DISTINCT status, ' ') FROM ai_generation_tasks WHERE id BETWEEN $from AND $to"), 'completed', "$what: well");
	is($node->safe_psql('app', "SELECT count(*) FROM generate_series($from, $to) i WHERE (SELECT count(*) FROM completed WHERE task = i) <> 1 OR (SELECT count(*) FROM ended WHERE task = i AND job_state = 'done') <> 1"),
		'0', "$what: exactly once");
	is($node->safe_psql('app', "SELECT count(*) FROM generate_series($from, $to) i WHERE (SELECT count(*) FROM ai_content_suggestions WHERE task_id = i) <> 2"), '0', "$what: with its suggestions once");
	is($node->safe_psql('app', "SELECT string_agg(id::text, ' ') FROM ai_generation_tasks t CROSS JOIN LATERAL (SELECT count(*) AS n FROM ended WHERE task = t.id AND NOT reaped) AS e
		WHERE id BETWEEN $from AND $to AND (t.input_tokens, t.output_tokens, t.cost_micros) IS DISTINCT FROM (e.n * (1000 + t.id), e.n * 10, e.n * (2 * (1000 + t.id) + 100))"), '', "$what: tokens booked are those of the attempts that ended");
	my $answered = grep { ($_->{outcome} // '') eq 'answered' } requests($port);
	note("$what: $answered requests answered in all; attempts: " . $node->safe_psql('app', "SELECT string_agg(w || ' ' || n, ', ') FROM (SELECT CASE WHEN reaped THEN 'reaped' ELSE 'ended ' || job_state END AS w, count(*) AS n FROM ended WHERE task BETWEEN $from AND $to GROUP BY 1) AS s"));
	return;
}

add(1, $tasks);
my @workers = map { NexusAi->start($node, {}, log_level => 'warn', concurrency => 2) } 1 .. 2;
my $killed = 0;
for my $round (1 .. $kills)
{
	sleep(0.05 + rand() * 0.6);
	my $victim = $workers[ rand @workers ];
	$killed += $node->safe_psql('app', "SELECT count(*) FROM nexus.jobs WHERE kind = 'ai_task' AND state = 'leased'") > 0;
	$victim->kill_hard;
	$victim->again;
	hasten() if $round % 5 == 0;
}
cmp_ok($killed, '>', $kills / 2, "$kills kills, $killed of them while tasks were at work");
check("$kills kills, $tasks tasks", 1, $tasks);

# The database goes away while answers are on their way
add($tasks + 1, $tasks + 20);
sleep 0.3;
$node->restart('immediate');
sleep 0.5;
$node->restart('fast');
check('restarts', $tasks + 1, $tasks + 20);
is($_->stop, 0, 'it ends well') for @workers;
is($node->safe_psql('app', "SELECT count(*) FROM nexus.jobs WHERE kind = 'ai_task' AND state IN ('ready', 'leased')"), '0', 'no job is left');
$node->stop;
done_testing();
