package NexusAi;

# Running AI workers for the tests, and the provider that they ask.

use strict;
use warnings;
use Exporter 'import';
use NexusPublisher ();
use PostgreSQL::Test::Utils;

our @ISA = ('NexusPublisher');
our @EXPORT_OK = qw(provider requests seed_ai add_task);

sub provider { return NexusPublisher::serve('provider', '/_requests', 'python3', "$ENV{NEXUS_ROOT}/test/ai/provider.py", 'PORT') }

# What the provider was asked, in order; with $prompt, of that prompt only.
sub requests
{
	my ($port, $prompt) = @_;
	my (undef, $all) = NexusPublisher::http_json('GET', $port, '/_requests');
	return grep { !defined $prompt || $_->{prompt} eq $prompt } @$all;
}

# A user ann, and a provider of everything at that port: 2 and 10 millionths for a token.
sub seed_ai
{
	my ($node, $port) = @_;
	my $hash = q{$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA};
	$node->safe_psql('app', qq{
	INSERT INTO users (id, email, password, first_name, last_name) VALUES ('ann', 'a\@example.org', '$hash', 'A', 'A');
	INSERT INTO nexus.ai_providers (name, base_url, model, task_types, input_price_micros, output_price_micros)
	VALUES ('stand-in', 'http://127.0.0.1:$port/v1', 'small', '{caption,hashtags,content_idea,script,translation}', 2000000, 10000000)});
	return;
}

sub add_task
{
	my ($node, $type, $prompt, $parameters) = @_;
	$prompt =~ s/'/''/g;
	return $node->safe_psql('app', "INSERT INTO ai_generation_tasks (user_id, task_type, prompt, parameters) VALUES ('ann', '$type', '$prompt', '" . ($parameters // '{}') . "') RETURNING id");
}

# A worker on database app of $node; settings by name (lease => 2), its environment in %$environment.
sub start
{
	my ($class, $node, $environment, %settings) = @_;
	my $self = bless {}, $class;
	my $n = ++$NexusAi::workers;
	$self->{log} = $PostgreSQL::Test::Utils::log_path . "/ai_worker_$$" . "_$n.log";
	my %all = (db_uri => $node->connstr('app'), allow_network => '127.0.0.0/8', lease => 2, timeout => 5, worker => "ai$n", %settings);
	delete $all{$_} for grep { !defined $all{$_} } keys %all;
	$self->{command} = [ 'env', (map { "$_=$environment->{$_}" } sort keys %$environment), NexusPublisher::program('nexus-ai-worker'), map { ('--' . tr/_/-/r, $all{$_}) } sort keys %all ];
	return $self->again;
}

1;
