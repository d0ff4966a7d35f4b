# The AI worker against a stand-in of a provider: what comes back is taken only in its shape, each kind of failure is told
# apart, tokens and cost are booked for every answer that was paid for, and who cancels is heard at once.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use NexusTest qw(start_node deploy);
use NexusPublisher qw(wait_for);
use NexusAi qw(provider requests seed_ai add_task);

my $node = start_node('ai_worker');
deploy($node, 'app');
my $port = provider();
my $secret = 'sk-not-to-be-told';

sub column { my ($id, $column) = @_; return $node->safe_psql('app', "SELECT $column FROM ai_generation_tasks WHERE id = $id") }
sub state { my ($id, $wanted, $seconds) = @_; return wait_for($node, "SELECT status FROM ai_generation_tasks WHERE id = $id", $wanted, $seconds) }
sub error { my ($id) = @_; return column($id, "concat_ws(': ', error_code, error_message)") }
sub booked { my ($id) = @_; return column($id, "concat_ws('/', input_tokens, output_tokens, cost_micros)") }
# Does not wait for the delay between attempts.
sub hasten
{
	my ($id, $attempts) = @_;
	is(wait_for($node, "SELECT attempts >= $attempts AND state IN ('ready', 'dead') FROM nexus.jobs WHERE kind = 'ai_task' AND ref_id = $id", 't'), 't', "task $id: attempt $attempts has ended");
	$node->safe_psql('app', "UPDATE nexus.jobs SET run_at = now() WHERE kind = 'ai_task' AND ref_id = $id AND state = 'ready'; NOTIFY nexus_jobs");
	return;
}

# Nobody to ask
my $worker = NexusAi->start($node, { NEXUS_AI_KEY_STAND_IN => $secret }, concurrency => 4, max_response_bytes => 2 << 20, max_tokens => 500);
$node->safe_psql('app', q{INSERT INTO users (id, email, password, first_name, last_name) VALUES ('zoe', 'z@example.org', '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'Z', 'Z')});
my $waiting = $node->safe_psql('app', q{INSERT INTO ai_generation_tasks (user_id, task_type, prompt) VALUES ('zoe', 'caption', 'n=1 early') RETURNING id});
sleep 0.5;
is(column($waiting, 'status'), 'pending', 'without a provider a task waits');
is(error($waiting), 'waiting: no AI provider is configured for caption', 'and says why');
seed_ai($node, $port);
is(state($waiting, 'completed', 5), 'completed', 'it goes when one comes');

# Each type
my %made = (
	caption => 'caption general Tea, at last. 0.80; caption general Time for tea 0.00',
	hashtags => 'hashtags general tea greentea 0.00; hashtags general teatime 0.00',
	content_idea => 'content_idea general How tea is picked 0.00; content_idea general Five cups from five countries 0.00',
	script => '', translation => '');
my %ids = map { ($_ => add_task($node, $_, "n=5 of $_")) } sort keys %made;
for my $type (sort keys %made)
{
	is(state($ids{$type}, 'completed'), 'completed', $type);
	is($node->safe_psql('app', "SELECT string_agg(concat_ws(' ', suggestion_type, platform, content, confidence), '; ' ORDER BY id) FROM ai_content_suggestions WHERE task_id = $ids{$type}"), $made{$type}, "$type: suggestions");
	is(booked($ids{$type}), '1005/10/2110', "$type: tokens and cost");
}
is(column($ids{script}, 'result'), 'Open on a kettle.', 'a text is the result itself');
is(column($ids{script}, "concat_ws(' ', model, progress, attempt_count)"), 'small-0001 100 1', 'with the model that answered');
is($node->safe_psql('app', "SELECT DISTINCT metadata ->> 'model' FROM ai_content_suggestions WHERE user_id = 'ann'"), 'small-0001', 'suggestions too');
my ($request) = requests($port, 'n=5 of caption');
is($request->{path}, '/v1/chat/completions', 'where it asks');
is($request->{authorization}, "Bearer $secret", 'with the key of the environment');
is($request->{body}{response_format}{json_schema}{schema}{required}[0], 'captions', 'for the shape of the type');
is($request->{body}{max_tokens}, 500, 'no longer than is allowed');

# Parameters
my $told = add_task($node, 'caption', 'n=6 parameters', '{"temperature": 0.2, "max_tokens": 90, "tone": "dry"}');
is(state($told, 'completed'), 'completed', 'with parameters');
($request) = requests($port, 'n=6 parameters');
is("$request->{body}{temperature} $request->{body}{max_tokens}", '0.2 90', 'the model gets those that it knows');
like($request->{body}{messages}[1]{content}, qr/\nParameters: \{"tone":"dry"\}$/, 'and the others in words');

# Answers that are none
my $fence = add_task($node, 'caption', 'n=7 fence');
is(state($fence, 'completed'), 'completed', 'a fence around the JSON is taken off');
my $wrong = add_task($node, 'caption', 'n=8 wrong=1');
hasten($wrong, 1);
is(state($wrong, 'completed'), 'completed', 'a wrong shape is asked again');
is(booked($wrong), '2016/20/4232', 'and both answers are paid for');
my %faults = (
	'n=9 wrong=99' => qr/^transient: the result is not what was asked for/,
	'n=9 text=99' => qr/^transient: the answer is no JSON: Here is what/,
	'n=9 length' => qr/^transient: the answer was cut off at max_tokens$/,
	'n=9 refusal' => qr/^transient: the model refuses: I would rather not\.$/,
	'n=9 nul' => qr/^transient: the answer cannot be stored/);
my %bad = map { ($_ => add_task($node, 'caption', $_)) } sort keys %faults;
for my $prompt (sort keys %faults)
{
	hasten($bad{$prompt}, $_) for 1 .. 4;
	is(state($bad{$prompt}, 'failed'), 'failed', "$prompt: fails after five attempts");
	like(error($bad{$prompt}), $faults{$prompt}, "$prompt: with the reason");
	is(booked($bad{$prompt}), '5045/50/10590', "$prompt: and all of them are paid for");
}
is($node->safe_psql('app', 'SELECT count(*) FROM ai_content_suggestions WHERE task_id IN (' . join(',', values %bad) . ')'), '0', 'and nothing is made of them');
my $silent = add_task($node, 'caption', 'nousage');
is(state($silent, 'completed'), 'completed', 'an answer without usage');
is(booked($silent), '0/0/0', 'books nothing that was not said');

# Providers that understand less
my $plain = add_task($node, 'script', 'n=10 noschema newlimit');
is(state($plain, 'completed'), 'completed', 'a provider that knows no schemas');
is(join(' ', map { $_->{body}{response_format}{type} . (defined $_->{body}{max_completion_tokens} ? '+' : '') } requests($port, 'n=10 noschema newlimit')), 'json_schema json_object json_object+', 'is asked for less');
is(column($plain, 'attempt_count'), '1', 'in the same attempt');

# Refusals
for my $case ([ 400, 'invalid', qr/answered 400: no, / ], [ 404, 'invalid', qr/answered 404/ ], [ 302, 'invalid', qr/answered 302/ ])
{
	my ($status, $class, $message) = @$case;
	my $id = add_task($node, 'caption', "status=$status");
	is(state($id, 'failed'), 'failed', "$status fails at once");
	like(error($id), qr/^$class: .*$message/, "$status is $class");
	is(booked($id), '', "$status books nothing");
}
for my $case ([ 'status=401', 'auth', qr/^auth: the provider stand-in refuses the key, or there is none: NEXUS_AI_KEY_STAND_IN/ ], [ 'status=503', 'transient', qr/^transient: .*answered 503/ ],
	[ 'cut=9', 'transient', qr/^transient: .*(closed|cut off)/ ], [ 'long', 'transient', qr/^transient: .*too long/ ], [ 'slow=9', 'transient', qr/^transient: .*no answer in time/ ])
{
	my ($prompt, $class, $message) = @$case;
	my $id = add_task($node, 'caption', $prompt);
	is(wait_for($node, "SELECT error_code FROM ai_generation_tasks WHERE id = $id", $class, 15), $class, "$prompt is $class");
	like(error($id), $message, "$prompt: told");
	is(column($id, 'status'), 'pending', "$prompt is tried again");
	$node->safe_psql('app', "SELECT nexus.cancel_ai_task($id)");
}
my $limited = add_task($node, 'caption', 'n=11 limited=1');
is(wait_for($node, "SELECT error_code FROM ai_generation_tasks WHERE id = $limited", 'rate_limited', 5), 'rate_limited', '429 is rate_limited');
my $behind = add_task($node, 'caption', 'n=11 behind');
is(state($limited, 'completed', 10), 'completed', '429: again after Retry-After');
is(state($behind, 'completed', 10), 'completed', '429: the others too');
is($node->safe_psql('app', "SELECT string_agg(attempts::text, ' ') FROM nexus.jobs WHERE kind = 'ai_task' AND ref_id IN ($limited, $behind)"), '1 1', '429 does not count');

# Cancelled while the provider is at work
my @late;
for my $round (1 .. 5)
{
	my $id = add_task($node, 'caption', "slow=4.5 round $round");
	is(state($id, 'processing', 5), 'processing', "cancel $round: at work");
	sleep 0.01 until requests($port, "slow=4.5 round $round");
	my $begun = time;
	$node->safe_psql('app', "SELECT nexus.cancel_ai_task($id)");
	wait_for($node, "SELECT state FROM nexus.jobs WHERE kind = 'ai_task' AND ref_id = $id", 'cancelled', 5);
	push @late, time - $begun;
	my ($asked) = requests($port, "slow=4.5 round $round");
	for (1 .. 40) { last if $asked->{outcome}; sleep 0.05; ($asked) = requests($port, "slow=4.5 round $round") }
	is($asked->{outcome}, 'gone', "cancel $round: the provider is hung up on");
	is(column($id, "concat_ws(' ', status, input_tokens)"), 'cancelled', "cancel $round: and the task is as it was left");
}
my ($slowest) = sort { $b <=> $a } @late;
cmp_ok($slowest, '<', 1, sprintf('cancel takes effect within 1 s (%.2f s at most)', $slowest));

# Nobody is told the key
$node->safe_psql('app', 'CHECKPOINT');
is($node->safe_psql('app', "SELECT count(*) FROM ai_generation_tasks t WHERE t::text LIKE '%$secret%'") . $node->safe_psql('app', "SELECT count(*) FROM nexus.jobs t WHERE t::text LIKE '%$secret%'"), '00', 'the key is in no table');
unlike($worker->log_text, qr/$secret/, 'and not in the log');

# SIGTERM: what is under way is finished; what takes too long goes back, and does not count
my $last = add_task($node, 'caption', 'n=12 slow=1.5');
is(state($last, 'processing', 5), 'processing', 'SIGTERM: at work');
is($worker->stop, 0, 'SIGTERM: it ends well');
is(column($last, 'status'), 'completed', 'SIGTERM: what was under way is done');
$worker = NexusAi->start($node, {}, shutdown_timeout => 0);
$last = add_task($node, 'caption', 'n=13 slow=4');
is(state($last, 'processing', 5), 'processing', 'no time: at work');
sleep 0.01 until requests($port, 'n=13 slow=4');
is($worker->stop, 0, 'no time: it ends well');
is($node->safe_psql('app', "SELECT state || attempts FROM nexus.jobs WHERE kind = 'ai_task' AND ref_id = $last"), 'ready0', 'no time: the task is given back');

# Private networks have to be allowed
$worker = NexusAi->start($node, {}, allow_network => undef);
is(wait_for($node, "SELECT error_message FROM ai_generation_tasks WHERE id = $last", 'the provider stand-in: 127.0.0.1 is an address of a private network', 10),
	'the provider stand-in: 127.0.0.1 is an address of a private network', 'a private network is refused');
is($worker->stop, 0, 'it ends well');
$node->stop;
done_testing();
