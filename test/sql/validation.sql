-- validate(): rules as data, findings with their places.
\pset null -

-- Every fact has a source, and a date or the reason why not.
SELECT rule_id FROM nexus.platform_rules WHERE COALESCE(source, '') = '' OR (source_url IS NULL AND source <> 'general knowledge, not verified');
SELECT rule_id FROM nexus.platform_rules WHERE source ~ '^general knowledge' AND severity = 'error';
SELECT source_id FROM nexus.rule_sources WHERE read_on IS NULL AND url IS NOT NULL;
SELECT platform FROM nexus.platforms p LEFT JOIN nexus.platform_rules r ON r.platform = p.slug GROUP BY 1 HAVING count(r) < 8;
SELECT count(*) AS platforms FROM nexus.platforms;
SELECT rule_id, s FROM nexus.platform_rules, unnest(string_to_array(source, '; ')) s
WHERE s <> 'general knowledge, not verified' AND NOT EXISTS (SELECT FROM nexus.rule_sources WHERE title = s);
-- A fact that cannot be judged says why, or carries what it says.
SELECT rule_id FROM nexus.platform_rules WHERE kind = 'info' AND note IS NULL;
-- A limit judges something: each judged rule has a bound or a list.
SELECT rule_id FROM nexus.platform_rules WHERE kind NOT IN ('info', 'media_mix') AND num_nonnulls(min, max, params) = 0;

-- Lengths in each unit, at the limit and one above. The place is where the text stops to fit.
CREATE TEMP VIEW lengths AS
SELECT v.platform, body, n, f.severity, f.code, f.start_char, f.end_char, f.actual, f.allowed
FROM (VALUES ('x', 'weighted', 'a', 280), ('x', 'weighted', '漢', 140), ('x', 'weighted', '👨‍👩‍👧', 140), ('instagram', 'utf16', '👍', 1100),
             ('bluesky', 'graphemes', 'é', 300), ('bluesky', 'graphemes', '👍🏽', 300), ('threads', 'utf8_bytes', 'é', 250),
             ('telegram', 'utf16', 'x', 4096), ('reddit', 'codepoint', 'é', 40000)) AS v(platform, unit, body, most),
     LATERAL (VALUES (most), (most + 1)) AS m(n),
     LATERAL nexus.validate(jsonb_build_object('caption', repeat(body, n)), ARRAY[v.platform]) AS f
WHERE f.code LIKE 'caption%';
SELECT * FROM lengths ORDER BY platform, body, n;

-- A link weighs 23 on X and counts 23 on Mastodon, nowhere else.
SELECT platform, actual, allowed FROM nexus.validate(
  jsonb_build_object('caption', repeat('a', 477) || ' https://example.com/' || repeat('b', 2000)), '{x,mastodon,bluesky,linkedin}')
WHERE code = 'caption.too_long' ORDER BY platform, allowed;

-- Limits that depend on what is attached, and a soft limit beside a hard one.
SELECT n, media, severity, actual, allowed, rule_id
FROM (VALUES (1024), (1025), (2049), (4097)) AS v(n),
     (VALUES ('[]'), ('[{"media_type": "image", "mime_type": "image/png", "file_size": 1, "width": 10, "height": 10}]')) AS m(media),
     LATERAL nexus.validate(jsonb_build_object('caption', repeat('x', n), 'media', media::jsonb), '{telegram}')
ORDER BY media, n;

-- Counts of entities: in the text, beside it, and each once.
SELECT platform, code, severity, field, start_char, end_char, actual, allowed FROM nexus.validate(
  '{"caption": "#a #b https://a.example https://b.example https://c.example https://d.example"}', '{threads}');
SELECT severity, field, actual, allowed, rule_id FROM nexus.validate(
  '{"caption": "#one and #Two", "hashtags": ["two", "#three", "four", "five", "six"], "media": [{"media_type": "video"}]}', '{instagram}')
WHERE code LIKE 'hashtags%';
SELECT severity, actual, allowed FROM nexus.validate(
  jsonb_build_object('caption', (SELECT string_agg('#t' || i, ' ') FROM generate_series(1, 31) i)), '{instagram}') WHERE code LIKE 'hashtags%';
SELECT code, start_char, end_char FROM nexus.validate('{"caption": "$A and $B"}', '{x}');

-- Media: the item and the fact at fault are named.
SELECT platform, severity, code, field, actual, allowed FROM nexus.validate('{"content_type": "post", "caption": "c", "media": [
  {"media_type": "image", "mime_type": "image/jpeg", "file_size": 100, "width": 1080, "height": 1080},
  {"media_type": "image", "mime_type": "image/tiff", "file_size": 30000000, "width": 4000, "height": 1000},
  {"media_type": "video", "mime_type": "video/mp4; codecs=avc1", "file_size": 100, "width": 1080, "height": 1920, "duration": 901}]}',
  '{instagram,x,telegram}') ORDER BY platform, field, code;
SELECT code, field, message FROM nexus.validate('{"media": [{"media_type": "image"}, {"mime_type": "video/mp4"}, {}]}', '{threads}');
SELECT code, actual, allowed FROM nexus.validate(
  jsonb_build_object('media', (SELECT jsonb_agg('{"media_type": "thumbnail"}'::jsonb) FROM generate_series(1, 5))), '{x}');
SELECT platform, code, severity, actual, allowed FROM nexus.validate(
  '{"media": [{"media_type": "gif", "mime_type": "image/gif", "file_size": 6000000, "width": 9, "height": 9}]}', '{x}');

-- Types of content.
SELECT t, platform, severity, code FROM unnest('{text,reel,story,post}'::text[]) t,
  LATERAL nexus.validate(jsonb_build_object('content_type', t, 'caption', 'c'), '{facebook,youtube}') WHERE code LIKE 'content_type%';

-- Threads: every part is judged.
SELECT platform, code, severity, field, actual FROM nexus.validate(jsonb_build_object('caption', 'one',
  'thread', jsonb_build_array('{"caption": "two"}'::jsonb, jsonb_build_object('caption', repeat('a', 301), 'media', '[{"media_type": "image", "alt_text": "", "mime_type": "image/png", "file_size": 3000000}]'::jsonb))),
  '{bluesky,telegram}');

-- Other fields: title, description taken for the caption and the other way round, tags, alt text.
SELECT code, field, start_char, end_char, actual, allowed FROM nexus.validate(
  '{"title": "a < b", "caption": "5 > 4", "content_type": "video", "media": [{"media_type": "video", "mime_type": "video/mp4", "file_size": 1, "duration": 5}]}', '{youtube}');
SELECT code, severity, field FROM nexus.validate('{"description": "d", "media": [{"media_type": "image"}]}', '{youtube}') WHERE code LIKE 'title%';
SELECT platform, code, field, actual FROM nexus.validate(jsonb_build_object('description', repeat('d', 281)), '{x}');
SELECT code, field, actual, allowed FROM nexus.validate(
  jsonb_build_object('title', 't', 'hashtags', (SELECT jsonb_agg('two words ' || i) FROM generate_series(10, 45) i)), '{youtube}') WHERE field = 'hashtags';
SELECT code, field, start_char, end_char, actual, allowed FROM nexus.validate(
  jsonb_build_object('media', jsonb_build_array(jsonb_build_object('media_type', 'image', 'alt_text', repeat('é', 1502)))), '{mastodon}') WHERE code LIKE 'alt%';
SELECT code, field, actual, allowed FROM nexus.validate(jsonb_build_object('hashtags', jsonb_build_array(repeat('t', 65))), '{bluesky}');

-- What is wrong on every platform, and times.
SELECT platform, code, severity, field, actual, allowed FROM nexus.validate(jsonb_build_object('title', E' \t ', 'metadata', '[1]'::jsonb, 'colour', 1,
  'hashtags', '["", "a\nb"]'::jsonb, 'media', '[{"media_type": "image", "size": 5}]'::jsonb), '{}');
SELECT code, allowed FROM nexus.validate(jsonb_build_object('metadata', (repeat('{"a":', 65) || '1' || repeat('}', 65))::jsonb), '{}');
SELECT code, allowed FROM nexus.validate(jsonb_build_object('metadata', jsonb_build_object('a', repeat('x', 70000))), '{}');
SELECT code, actual, allowed FROM nexus.validate(jsonb_build_object('title', repeat('👨‍👩‍👧', 501)), '{}');
SELECT s, code FROM unnest(ARRAY['2001-01-01', 'infinity', '2100-01-01T10:00:00+02:00', NULL]) s,
  LATERAL nexus.validate(jsonb_build_object('status', 'scheduled', 'scheduled_at', s), '{}');

-- Platforms: the argument, else the draft's own, else all; aliases; each once.
SELECT DISTINCT platform FROM nexus.validate(jsonb_build_object('platform', 'Twitter', 'caption', repeat('x', 70000)));
SELECT platform, count(*) FROM nexus.validate(jsonb_build_object('platform', 'bluesky', 'caption', repeat('x', 300)), '{x,twitter,X}') GROUP BY 1;
SELECT string_agg(DISTINCT platform, ' ' ORDER BY platform) FROM nexus.validate(jsonb_build_object('caption', repeat('x', 70000)));
SELECT count(*) FROM nexus.validate('{}', '{}');

-- Bad calls.
SELECT nexus.validate('{}', '{x,myspace}');
SELECT nexus.validate('{"platform": ""}');
SELECT nexus.validate('{}', '{x,NULL}');
SELECT nexus.validate(NULL);
SELECT nexus.validate('"text"');
SELECT nexus.validate('{"caption": ["a"]}');
SELECT nexus.validate('{"hashtags": [1]}');
SELECT nexus.validate('{"media": [{"width": "9"}]}');
SELECT nexus.validate('{"media": [{"width": -1}]}');
SELECT nexus.validate('{"media": [{"width": 1e400}]}');
SELECT nexus.validate('{"media": {}}');
SELECT nexus.validate('{"thread": [{"caption": 1}]}');
SELECT nexus.validate('{"scheduled_at": "soon"}');
SELECT nexus.validate(jsonb_build_object('caption', repeat('x', 5000000)));
SELECT nexus.validate(jsonb_build_object('media', (SELECT jsonb_agg('{}'::jsonb) FROM generate_series(1, 201))));

-- Rules are compiled once and again when they change, also by this transaction, also after a rollback.
CREATE TEMP VIEW limit_of_x AS SELECT allowed, severity FROM nexus.validate(jsonb_build_object('caption', repeat('x', 1000)), '{x}') WHERE code = 'caption.too_long';
SELECT * FROM limit_of_x;
BEGIN;
UPDATE nexus.platform_rules SET max = 500, severity = 'warning' WHERE rule_id = 'x.caption.length';
SELECT * FROM limit_of_x;
INSERT INTO nexus.rule_overrides (scope, scope_id, rule_id, max, severity) VALUES ('all', '', 'x.caption.length', 600, 'info');
SELECT * FROM limit_of_x;
UPDATE nexus.rule_overrides SET severity = 'off';
SELECT * FROM limit_of_x;
ROLLBACK;
SELECT * FROM limit_of_x;
BEGIN;
INSERT INTO nexus.platforms (slug, name, aliases) VALUES ('example', 'Example', '{eg}');
INSERT INTO nexus.platform_rules (rule_id, platform, field, kind, unit, max, severity, source, valid_to) VALUES
  ('example.caption.length', 'example', 'caption', 'text_length', 'codepoint', 3, 'error', 'its documentation', NULL),
  ('example.caption.older', 'example', 'caption', 'text_length', 'codepoint', 1, 'error', 'its documentation', '2020-01-01');
SELECT platform, code, actual, allowed, source FROM nexus.validate('{"caption": "four"}', '{EG}');
ROLLBACK;
-- What is there but not seen; what X refuses; a link that does not fit is the place, not the middle of it.
SELECT platform, code, severity, field, message, hint, start_char, end_char FROM nexus.validate(
  jsonb_build_object('caption', U&'see\FEFFthis', 'title', U&'a\202Eb', 'thread', jsonb_build_array(jsonb_build_object('caption', U&'\2066x'))), '{x}');
SELECT platform, code, start_char, end_char FROM nexus.validate(jsonb_build_object('caption', repeat('a', 275) || ' https://example.com/long'), '{x}');
SELECT platform, code, start_char, end_char FROM nexus.validate(jsonb_build_object('caption', repeat('a', 480) || ' https://example.com/long'), '{mastodon}');
SELECT code, field, message, hint FROM nexus.validate(jsonb_build_object('caption', '#' || repeat('a', 65)), '{bluesky}');
SELECT code, severity, hint FROM nexus.validate('{"caption": "a body"}', '{reddit}');
-- Rules that could not be judged are not taken.
INSERT INTO nexus.platform_rules (rule_id, platform, field, kind, unit, max, severity, source) VALUES ('x.a', 'x', 'caption', 'text_length', 'furlongs', 1, 'error', 's');
INSERT INTO nexus.platform_rules (rule_id, platform, field, kind, severity, source) VALUES ('x.a', 'x', 'media', 'media_mime', 'error', 's');
INSERT INTO nexus.platform_rules (rule_id, platform, field, kind, severity, source) VALUES ('x.a', 'x', 'media', 'media_mix', 'error', '');
INSERT INTO nexus.platform_rules (rule_id, platform, field, kind, params, severity, source) VALUES ('x.a', 'x', 'title', 'characters', '[60, 55296]', 'error', 's');
INSERT INTO nexus.platform_rules (rule_id, platform, field, kind, params, severity, source) VALUES ('x.a', 'x', 'title', 'characters', '["<"]', 'error', 's');
INSERT INTO nexus.platform_rules (rule_id, platform, field, kind, severity, source) VALUES ('x.a', 'x', 'title', 'characters', 'error', 's');

-- Overrides of a user and of an account.
BEGIN;
INSERT INTO nexus.rule_overrides (scope, scope_id, rule_id, max) VALUES ('user', 'u1', 'mastodon.caption.length', 1000), ('account', '7', 'mastodon.caption.length', 5000);
SELECT u, a, f.allowed FROM (VALUES ('u1', NULL), ('u1', 7), ('u2', 7), ('u2', 8)) AS v(u, a),
  LATERAL nexus.judge_draft(jsonb_build_object('caption', repeat('x', 6000), 'media', '[]'::jsonb), '{mastodon}', u, a) AS f;
ROLLBACK;

-- In a parallel plan.
BEGIN;
SET LOCAL force_parallel_mode = on;
SELECT count(*) FROM nexus.validate(jsonb_build_object('caption', repeat('x', 281)), '{x}');
ROLLBACK;
