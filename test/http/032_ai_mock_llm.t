# The AI worker against a mock of the OpenAI API that others maintain (npm: @dwmkerr/mock-llm): it understands the answers, and
# tells the errors apart. Skipped where npm is not reachable.
use strict;
use warnings;
use File::Copy qw(copy);
use File::Path qw(make_path);
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(sleep);
use NexusTest qw(start_node deploy root);
use NexusPublisher qw(http_json wait_for);
use NexusAi qw(seed_ai add_task);

my $work = root() . '/.run/npm/mock-llm';
make_path($work);
copy($_, $work) || die "$_: $!" for glob(root() . '/test/ai/mock-llm/*');
if (system("cd '$work' && timeout 300 npm install --no-audit --no-fund --no-package-lock --prefer-offline >npm.log 2>&1") != 0)
{
	plan skip_all => 'npm is not reachable: no mock of the OpenAI API';
}
my $node = start_node('ai_mock_llm');
deploy($node, 'app');
my $port = PostgreSQL::Test::Cluster::get_free_port();
NexusPublisher::spawn($PostgreSQL::Test::Utils::log_path . '/mock_llm.log', 'env', 'HOST=127.0.0.1', "PORT=$port", 'node', "$work/node_modules/\@dwmkerr/mock-llm/dist/main.js", '--config', "$work/rules.yaml");
my $status;
for (1 .. 400) { ($status) = http_json('GET', $port, '/ready'); last if $status == 200; sleep 0.05 }
is($status, 200, 'the mock is there') or BAIL_OUT('no mock of the OpenAI API');
seed_ai($node, $port);
my $worker = NexusAi->start($node, { NEXUS_AI_KEY_STAND_IN => 'sk-not-to-be-told' });

my $task = add_task($node, 'caption', 'A caption for rye bread');
is(wait_for($node, "SELECT status FROM ai_generation_tasks WHERE id = $task", 'completed'), 'completed', 'an answer in the shape that was asked for');
is($node->safe_psql('app', "SELECT concat_ws('/', input_tokens, output_tokens, cost_micros, model) FROM ai_generation_tasks WHERE id = $task"), '120/30/540/small', 'its tokens and cost are booked');
is($node->safe_psql('app', "SELECT suggestion_type, content, confidence FROM ai_content_suggestions WHERE task_id = $task"), 'caption|Rye, still warm.|0.90', 'and it is a suggestion');
for my $case ([ 'in prose', 'transient', qr/the answer is no JSON/ ], [ 'error-401', 'auth', qr/refuses the key/ ], [ 'error-503', 'transient', qr/answered 503: The server is overloaded/ ])
{
	my ($prompt, $class, $message) = @$case;
	my $id = add_task($node, 'caption', $prompt);
	is(wait_for($node, "SELECT error_code FROM ai_generation_tasks WHERE id = $id", $class), $class, "$prompt: $class");
	like($node->safe_psql('app', "SELECT error_message FROM ai_generation_tasks WHERE id = $id"), $message, "$prompt: told");
	is($node->safe_psql('app', "SELECT COALESCE(input_tokens, 0) FROM ai_generation_tasks WHERE id = $id"), $prompt eq 'in prose' ? '7' : '0', "$prompt: what was answered is paid for");
	$node->safe_psql('app', "SELECT nexus.cancel_ai_task($id)");
}
unlike($worker->log_text . $node->safe_psql('app', 'SELECT string_agg(t::text, $$ $$) FROM ai_generation_tasks t'), qr/sk-not-to-be-told/, 'nobody is told the key');
is($worker->stop, 0, 'it ends well');
$node->stop;
done_testing();
