-- Text: lengths, links, tags, grapheme clusters.
SELECT nexus.unicode_version();

-- Every unit of the same text.
SELECT body, s.* FROM unnest(ARRAY['', 'plain', E'two\nlines', 'Café', U&'Cafe\0301', '👍🏽 日本', '👨‍👩‍👧‍👦🏳️‍🌈🇩🇪1️⃣', 'क्षत्रिय',
  'see https://example.com/a/very/long/path?with=query and example.org', '@ann@example.social', '   ']) body, nexus.text_stats(body) s;
SELECT (nexus.text_stats(U&'a\202Eb')).bidi_controls, (nexus.text_stats(NULL)) IS NULL AS null_in_null_out;

-- What X takes, and up to where.
SELECT left(body, 12) AS body, x.* FROM unnest(ARRAY['', 'hello', repeat('日', 141), repeat('x', 270) || ' https://example.com/', U&'ab\FEFFc',
  repeat(U&'e\0301', 281)]) body, nexus.x_length(body) x;
SELECT (nexus.x_length('👨‍👩‍👧‍👦')).weight, (nexus.x_length('👨‍👩‍👧‍👦', 'v2')).weight AS in_parts;
SELECT nexus.x_length('a', 'v1');

-- Links as X makes them: positions in characters, UTF-16 units and bytes.
SELECT * FROM nexus.entities('👍 #CaféLife by @Bob and @ann/my-list: https://example.com/a_(b), example.co.uk $aapl');
SELECT value FROM nexus.entities('#1 #_ a#b x@example.com http://localhost/ http://example.invalid end.of sentence');
SELECT kind, value, canonical FROM nexus.entities('@alice.bsky.social (https://example.com/x) #a·b! $aapl @nobody', 'bluesky');
SELECT kind, value FROM nexus.entities(dialect => 'x', body => '＃全角 ＠full');
SELECT kind, value, canonical, start_char, end_char FROM nexus.entities('#tag @Ann @bob@example.social https://example.com/a example.com #12 #a·b x#no', 'mastodon');
SELECT * FROM nexus.entities('#tag', 'threads');
SELECT count(*) FROM nexus.entities(NULL);

-- Hashtags in canonical form, once each.
SELECT nexus.hashtags('#Straße #STRASSE #café ' || U&'#Cafe\0301' || ' #ＡＢＣ #abc #2024');
SELECT nexus.hashtags('none here'), nexus.hashtags(NULL) IS NULL AS is_null;
SELECT nexus.hashtags('#multi#join #x', 'bluesky');
SELECT nexus.canonical_hashtag('#CaféLife'), nexus.canonical_hashtag('＃ﬁne'), nexus.canonical_hashtag('');

-- Grapheme clusters agree with what may be cut.
SELECT nexus.grapheme_breaks(''), nexus.grapheme_breaks(E'a\r\nb'), nexus.grapheme_breaks('👨‍👩‍👧x'), nexus.grapheme_breaks('क्ष');
SELECT string_agg(substr(body, b.at + 1, b.next - b.at), '|' ORDER BY b.at)
FROM (VALUES (U&'e\0301🇩🇪🇫🇷한국')) v(body),
  LATERAL (SELECT at, lead(at) OVER (ORDER BY at) AS next FROM unnest(nexus.grapheme_breaks(body)) at) b
WHERE b.next IS NOT NULL;

-- Identifiers.
SELECT kind, value, nexus.is_valid(kind, value) FROM (VALUES
  ('hashtag', '#1st'), ('hashtag', '1st'), ('username', '@ann'), ('username', '@ann/list'), ('list', '@ann/list'),
  ('url', 'http://☃.net/?q=1'), ('url', 'example.com'), ('url_without_protocol', 'example.com'), ('url', 'http://a b.com'),
  ('handle', 'ann.test'), ('handle', 'ann'), ('did', 'did:plc:abc'), ('atidentifier', 'did:plc:'),
  ('aturi', 'at://ann.test/app.bsky.feed.post/3k'), ('aturi', 'at://ann.test/'), ('nsid', 'app.bsky.feed.post'),
  ('nsid', 'app.bsky'), ('tid', '3jzfcijpj2z2a'), ('tid', 'zzzzzzzzzzzzz'), ('recordkey', 'self'), ('recordkey', '..'),
  ('language', 'zh-Hant-TW'), ('language', 'zh_TW'), ('datetime', '2024-02-29T12:00:00Z'),
  ('datetime', '2023-02-29T12:00:00Z'), ('datetime', '2024-02-29 12:00:00Z')) v(kind, value);
SELECT nexus.is_valid('isbn', '1');

-- Immutable: fit for an index and a generated column.
BEGIN;
CREATE TABLE posts (body text, length integer GENERATED ALWAYS AS ((nexus.text_stats(body)).graphemes) STORED);
CREATE INDEX ON posts USING gin (nexus.hashtags(body, 'x'));
INSERT INTO posts VALUES ('#Hello 👋🏽');
SELECT length, nexus.hashtags(body, 'x') FROM posts;
ROLLBACK;

-- One megabyte of what is hard to scan, and a loop that can be cancelled.
SELECT piece, (SELECT count(*) FROM nexus.entities(repeat(piece, 1000000 / length(piece)))) AS links,
  (nexus.text_stats(repeat(piece, 1000000 / length(piece)))).graphemes
FROM unnest(ARRAY['#', '@', 'a.', 'http://', '(((']) piece;
CREATE TEMP TABLE long AS SELECT repeat('#é', 20000000) AS body;
SET statement_timeout = '50ms';
SELECT nexus.text_stats(body) FROM long;
RESET statement_timeout;
DROP TABLE long;

-- Everything of this part is described.
SELECT p.oid::regprocedure AS not_described FROM pg_proc p
WHERE p.pronamespace = 'nexus'::regnamespace AND p.probin IS NOT NULL AND obj_description(p.oid, 'pg_proc') IS NULL
  AND p.prosrc IN ('nexus_unicode_version', 'nexus_text_stats', 'nexus_entities', 'nexus_hashtags', 'nexus_canonical_hashtag',
    'nexus_grapheme_breaks', 'nexus_is_valid');
