# The engines in databases that are not UTF-8: texts come in and go out in the server's encoding, the client speaks its own.
use strict;
use warnings;
use Test::More;
use NexusTest qw(start_node);

my $node = start_node('encodings');

# What each engine answers to a UTF-8 client: one text with é, ü and ß, which LATIN1 has, in each.
my @calls = (
	[ q{SELECT codepoints || ' ' || graphemes || ' ' || bytes FROM nexus.text_stats('Grüße, Zoé')}, '10 10 13', 'text_stats' ],
	[ q{SELECT nexus.canonical_hashtag('#CAFÉ')}, 'café', 'canonical_hashtag' ],
	[ q{SELECT code || ' ' || field || ' ' || (end_char - start_char) FROM nexus.validate(jsonb_build_object('caption', repeat('é', 281)), '{x}') WHERE code = 'caption.too_long'},
		'caption.too_long caption 1', 'validate' ],
	[ q{INSERT INTO nexus.hashtag_seeds (niche, tag) VALUES ('Bäckerei', '#Brötchen') RETURNING niche, tag, display}, 'bäckerei|brötchen|Brötchen', 'seeds' ],
	[ q{SELECT message LIKE '%é%' FROM nexus.rrule_errors('FREQ=Zoé')}, 't', 'rrule_errors quotes what it was given' ],
	[ q{SELECT to_char(nexus.local_bucket('day', '2026-07-01 10:00+00', 'Europe/Zurich') AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')},
		'2026-06-30 22:00', 'local_bucket' ],
	[ q{SELECT nexus.is_timezone('Zürich'), nexus.is_timezone('Europe/Zurich')}, 'f|t', 'is_timezone' ],
	# keys are in the order of the server's bytes, names in that of ours
	[ q{SELECT nexus.jsonschema_valid('{"required": ["bb", "éé", "ccc", "ü", "a"], "properties": {"éé": {"maxLength": 2}, "ccc": {"const": "ßß"}, "a": {"enum": [{"é": 1, "zz": 1}]}}, "additionalProperties": {"type": "null"}}',
			'{"a": {"zz": 1.0, "é": 1}, "ü": null, "bb": null, "éé": "üü", "ccc": "ßß"}')}, 't', 'jsonschema_valid' ],
	[ q{SELECT string_agg(instance_path || ' ' || message, '; ' ORDER BY message) FROM nexus.jsonschema_errors(
			'{"required": ["é", "zz"], "properties": {"é": {"maxLength": 1}}, "additionalProperties": false}', '{"é": "üü", "ß": 1}')},
		q{/ß "ß" is not allowed; /é must have at most 1 characters, has 2;  must have the member "zz"}, 'jsonschema_errors' ],
	[ q{SELECT nexus.learn_post('Grüße aus der Bäckerei', '{Brötchen}', '2026-01-01', 'x', 'u1', 'Bäckerei')}, '', 'learn_post' ],
	[ q{SELECT nexus.fold_hashtag_stats()}, '1', 'fold_hashtag_stats' ],
	[ q{SET nexus.hashtag_min_authors = 1; SELECT hashtag FROM nexus.suggest_hashtags('Bäckerei', platform => 'x')}, 'Brötchen', 'suggest_hashtags' ],
);

for my $encoding ('LATIN1', 'SQL_ASCII')
{
	my $db = lc $encoding;
	$node->safe_psql('postgres', "CREATE DATABASE $db ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
	$node->safe_psql($db, 'CREATE SCHEMA nexus; CREATE EXTENSION creatornexus SCHEMA nexus');
	$node->safe_psql('postgres', "ALTER DATABASE $db SET client_encoding = 'UTF8'");
	for my $call (@calls)
	{
		my ($code, $out, $err) = $node->psql($db, $call->[0]);
		is($out, $call->[1], "$call->[2] in $encoding") or diag("$code $err");
	}
}
done_testing();
