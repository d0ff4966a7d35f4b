# Publishers that are killed at random and at the points that matter, stopped for longer than their lease, and cut off from
# the platforms: counted on the side of the platforms nothing is lost and nothing is there twice. Where a platform can
# neither be asked nor told a key, what is uncertain is unconfirmed, and never sent again.
# NEXUS_CRASH_POSTS and NEXUS_CRASH_KILLS: how much; NEXUS_CRASH_SEED: which random numbers.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use NexusTest qw(start_node deploy);
use NexusPublisher qw(platforms fault_proxy sink http_json fault faults_done key_file seed_posts posts_on wait_for);

my $posts = $ENV{NEXUS_CRASH_POSTS} // 640;
my $kills = $ENV{NEXUS_CRASH_KILLS} // 60;
my $seed = $ENV{NEXUS_CRASH_SEED} // int(time);
srand($seed);
note("seed $seed");
my $node = start_node('publisher_crash', 'max_connections = 60');
deploy($node, 'app');
my $keys = key_file($node->basedir . '/keys');
my $real = platforms();
my $port = fault_proxy($real);
my $file = $node->basedir . '/posts.jsonl';
my $sink = sink($file, 'sink-secret');
my $sink_proxy = fault_proxy($sink);
my $url = "http://127.0.0.1:$port";
my $both = { webhook => { idempotent => JSON::PP::true, read_back => JSON::PP::true } };
seed_posts($node, $keys,
	{ id => 1, platform => 'bluesky', account_id => 'did:plc:one', handle => 'one.test', instance_url => $url, refresh => '{"password": "app-password"}' },
	{ id => 2, platform => 'mastodon', account_id => '7', instance_url => $url, access => 'masto-token' },
	{ id => 3, platform => 'webhook', account_id => 'plain', instance_url => "$url/hook/plain", access => 'hook-secret' },
	{ id => 4, platform => 'webhook', account_id => 'sink', instance_url => "http://127.0.0.1:$sink_proxy/posts", access => 'sink-secret', metadata => $both });
my @on = ('', 'bluesky', 'mastodon', 'hook/plain', 'sink');

# Posts from $first on, each text once, one account after the other; $spread: how many seconds they are due over.
my $last = 0;
sub seed
{
	my ($count, $spread) = @_;
	my ($from, $to) = ($last + 1, $last + $count);
	$last = $to;
	$node->safe_psql('app', qq{
	INSERT INTO social_posts (id, user_id, title, caption, content_type) SELECT i, 'ann', 't', 'text ' || i, 'post' FROM generate_series($from, $to) i;
	INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at)
	SELECT i, i, a.id, a.platform, 'scheduled', nexus.utcnow() + $spread * (i - $from) / $count * interval '1 second' FROM generate_series($from, $to) i JOIN social_accounts a ON a.id = i % 4 + 1});
	return ($from .. $to);
}

# How often each text is on its platform: {account => {text => times}}.
sub counted
{
	my $posts = posts_on($real);
	my %times;
	for my $account (1 .. 3) { $times{$account}{$_}++ for @{ $posts->{ $on[$account] } // [] } }
	open(my $lines, '<', $file) or die "sink: $!";
	while (<$lines>) { $times{4}{ JSON::PP->new->utf8->decode($_)->{body}{post}{caption} }++ }
	return \%times;
}

sub counts { my ($of) = @_; return join(', ', map { "$_ $of->{$_}" } sort keys %$of) }

# All posts of @ids have ended as they should.
sub check
{
	my ($what, @ids) = @_;
	my $list = join ',', @ids;
	my $left = wait_for($node, "SELECT count(*) FROM platform_posts WHERE id IN ($list) AND status NOT IN ('published', 'unconfirmed', 'failed')", '0', 120 + @ids / 10);
	is($left, '0', "$what: everything came to an end");
	my %times = %{ counted() };
	my (@lost, @twice, @silent, @doubt, %seen);
	for (split /\n/, $node->safe_psql('app', "SELECT id, account_id, status FROM platform_posts WHERE id IN ($list)"))
	{
		my ($id, $account, $status) = split /\|/;
		my $n = $times{$account}{"text $id"} // 0;
		my $seen = $seen{ $on[$account] } //= {};
		$seen->{posts}++;
		$seen->{ $n > 1 ? 'twice' : $n ? 'once' : 'absent' }++;
		$seen->{unconfirmed}++ if $status eq 'unconfirmed';
		push @twice, $id if $n > 1;
		push @lost, $id if $status eq 'published' && $n == 0 || $status eq 'failed';
		push @silent, $id if $n > 0 && $status ne 'published' && $status ne 'unconfirmed';
		push @doubt, $id if $status eq 'unconfirmed' && $account != 3;
	}
	is("@twice", '', "$what: nothing is there twice");
	is("@lost", '', "$what: nothing is lost");
	is("@silent", '', "$what: nothing is there that is not called so");
	is("@doubt", '', "$what: what can be verified is verified");
	is($node->safe_psql('app', 'SELECT count(*) FROM nexus.publish_attempts WHERE ended_at IS NULL'), '0', "$what: no attempt is left open");
	note("$what: attempts " . $node->safe_psql('app', "SELECT string_agg(outcome || ' ' || n, ', ' ORDER BY outcome) FROM (SELECT outcome, count(*) AS n FROM nexus.publish_attempts WHERE platform_post_id IN ($list) GROUP BY 1) AS s"));
	note("$what: on $_: " . counts($seen{$_})) for sort keys %seen;
	note("$what: " . $node->safe_psql('app', "SELECT string_agg(status || ' ' || n, ', ') FROM (SELECT status, count(*) AS n FROM platform_posts WHERE id IN ($list) GROUP BY 1) AS s"));
	return;
}
my %settings = (lease => 2, timeout => 2, verify_after => 0.3, log_level => 'warn');

# Random kills, while the network does what networks do
fault($port, match => 'POST', fault => 'cut', rate => 0.02, count => 1e9);
fault($port, match => 'POST', fault => 'error_after', rate => 0.02, count => 1e9);
fault($port, match => 'POST', fault => 'limited', rate => 0.01, count => 1e9);
fault($sink_proxy, match => 'POST', fault => 'cut', rate => 0.05, count => 1e9);
my @ids = seed($posts, $kills * 0.3);
my @workers = map { NexusPublisher->start($node, $keys, %settings, concurrency => 4) } 1 .. 2;
for my $round (1 .. $kills)
{
	sleep(0.05 + rand() * 0.5);
	my $victim = $workers[ rand @workers ];
	$victim->kill_hard;
	$victim->again;
	$node->safe_psql('app', 'SELECT nexus.tick()') if $round % 10 == 0;
}
http_json('DELETE', $_, '/_fault') for $port, $sink_proxy;
pass("$kills kills");
check("$kills kills, $posts posts", @ids);
$_->stop for @workers;

# Named points, each for all four platforms at once: the proxy or a lock holds the publisher there, kill -9 ends it.
my @send = ([ $port, 'POST /xrpc/com.atproto.repo.putRecord' ], [ $port, 'POST /api/v1/statuses' ], [ $port, 'POST /hook/plain' ], [ $sink_proxy, 'POST /posts' ]);
sub at_point
{
	my ($what, $hold, $reached, $release) = @_;
	my $lock = $hold->();
	my @ids = seed(4, 0);
	my $worker = NexusPublisher->start($node, $keys, %settings, concurrency => 4);
	ok($reached->($lock, @ids), "$what: reached");
	$worker->kill_hard;
	$release->($lock);
	my $next = NexusPublisher->start($node, $keys, %settings);
	check($what, @ids);
	$next->stop;
	return @ids;
}
sub held_by_proxy
{
	my ($fault) = @_;
	return (
		sub { fault($_->[0], match => $_->[1], fault => $fault) for @send; return (faults_done($port)->{$fault} // 0) + (faults_done($sink_proxy)->{$fault} // 0) },
		sub {
			my ($before) = @_;
			for (1 .. 200)
			{
				return 1 if (faults_done($port)->{$fault} // 0) + (faults_done($sink_proxy)->{$fault} // 0) >= $before + 4;
				sleep 0.05;
			}
			return 0;
		},
		sub { http_json('DELETE', $_, '/_fault') for $port, $sink_proxy });
}
# A session that holds a lock on which publishers wait.
sub held_by_lock
{
	my ($table) = @_;
	return (
		sub { my $session = $node->background_psql('app'); $session->query_safe("BEGIN; LOCK TABLE $table IN EXCLUSIVE MODE"); return $session },
		sub { return wait_for($node, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name LIKE 'nexus-publisher%' AND wait_event_type = 'Lock'}, 't', 10) eq 't' },
		sub { $_[0]->query_safe('ROLLBACK'); $_[0]->quit });
}
my @plain = at_point('before the platform has it', held_by_proxy('hold_before'));
is($node->safe_psql('app', "SELECT string_agg(status, ' ') FROM platform_posts WHERE account_id = 3 AND id IN (" . join(',', @plain) . ")"), 'unconfirmed', 'nobody knows on a platform that cannot be asked');
at_point('after the platform has it', held_by_proxy('hold_after'));
at_point('while the attempt is written', held_by_lock('nexus.publish_attempts'));

# After the answer, before it is written: the rows of the posts are held only when the answer is there.
{
	fault($_->[0], match => $_->[1], fault => 'slow', seconds => 1) for @send;
	my @ids = seed(4, 0);
	my $worker = NexusPublisher->start($node, $keys, %settings, concurrency => 4);
	is(wait_for($node, 'SELECT count(*) FROM nexus.publish_attempts WHERE ended_at IS NULL', '4', 10), '4', 'while the answer is written: begun');
	my $session = $node->background_psql('app');
	$session->query_safe('BEGIN; SELECT count(*) FROM (SELECT FROM platform_posts WHERE id IN (' . join(',', @ids) . ') FOR UPDATE) AS held');
	is(wait_for($node, q{SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'nexus-publisher%' AND wait_event_type = 'Lock'}, '4', 10), '4', 'while the answer is written: reached');
	$worker->kill_hard;
	$node->safe_psql('app', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'nexus-publisher%'});
	$session->query_safe('ROLLBACK');
	$session->quit;
	my $next = NexusPublisher->start($node, $keys, %settings);
	check('while the answer is written', @ids);
	$next->stop;
}

# A publisher that is stopped for longer than its lease, and goes on: its lease is another's by then.
for my $fault (qw(hold_after hold_before))
{
	my ($hold, $reached, $release) = held_by_proxy($fault);
	my $before = $hold->();
	my @ids = seed(4, 0);
	my $zombie = NexusPublisher->start($node, $keys, %settings, concurrency => 4, worker => "zombie $fault");
	ok($reached->($before), "zombie, $fault: reached");
	$zombie->signal('STOP');
	my $next = NexusPublisher->start($node, $keys, %settings);
	is(wait_for($node, 'SELECT count(*) FROM platform_posts WHERE id IN (' . join(',', @ids) . ") AND status IN ('published', 'unconfirmed')", '4', 30), '4', "zombie, $fault: another took over");
	$release->();
	$zombie->signal('CONT');
	sleep 1;
	check("zombie, $fault", @ids);
	is($zombie->stop, 0, "zombie, $fault: it ends well");
	like($zombie->log_text, qr/lease/, "zombie, $fault: and knows that it lost its lease");
	$next->stop;
}
is($node->safe_psql('app', 'SELECT count(*) FROM nexus.due_without_job()'), '0', 'no due post without a job or a reason');
is($node->safe_psql('app', "SELECT count(*) FROM (SELECT entity_id FROM notifications WHERE type = 'post_published' GROUP BY 1 HAVING count(*) > 1) AS twice"), '0', 'nobody is told twice');
$node->stop;
done_testing();
