-- Hashtags written as several words, and in both numbers.
BEGIN;
SET LOCAL nexus.hashtag_min_authors = 1;
SET LOCAL nexus.hashtag_diversity = 0;
-- A tag gives its words to the post, in the text and in the list, each once; and a draft's tags are read alike.
SELECT string_agg(term || ' ' || uses, ', ') AS words FROM nexus.hashtag_terms('Our #ClimateAction: NASA, #NASAMission #climate_talk and an iPhone');
SELECT nexus.learn_post('Join us', '{ClimateAction}'), nexus.learn_post('Join us', '{climate_action,Music}'), nexus.learn_post('climate now', '{ClimateAction}'), nexus.learn_post('Join us', '{Music}');
SELECT hashtag, evidence#>'{words,best}' AS words FROM nexus.suggest_hashtags('the climate is warming') ORDER BY hashtag COLLATE "C";
SELECT hashtag, evidence#>'{words,best}' AS words FROM nexus.suggest_hashtags('look: #ActionNow', exclude => '{climate_action}');
-- A tag of the draft in one piece is read as the two words that the model knows; one that is a word itself is not.
SELECT count(nexus.learn_post(body, '{Bread}')::text) FROM unnest(ARRAY['fresh bread', 'fresh bread and water', 'more bread', 'holidays', 'holidays', 'holidays', 'holi days', 'holi days']) body;
SELECT draft, hashtag, evidence#>'{words,best}' AS words FROM unnest(ARRAY['#freshbread', '#freshwater', '#holidays']) draft, nexus.suggest_hashtags(draft) WHERE hashtag = 'Bread' ORDER BY draft;
SELECT nexus.fold_hashtag_stats();
SELECT draft, hashtag, evidence#>'{words,best}' AS words FROM unnest(ARRAY['#freshbread', '#freshwater', '#holidays']) draft, nexus.suggest_hashtags(draft) WHERE hashtag = 'Bread' ORDER BY draft;
ROLLBACK;

-- Case: one tag, in the spelling of most posts; where two are as frequent, the first by bytes. Taken back, the other wins.
BEGIN;
SET LOCAL nexus.hashtag_min_authors = 1;
SELECT count(nexus.learn_source_post('river', ARRAY[t], now(), 'x', 'u' || n, NULL, NULL, NULL, 'test', n)::text)
  FROM unnest(ARRAY['Flood', 'FLOOD', 'FLOOD', 'Flood', 'flood']) WITH ORDINALITY t(t, n);
SELECT hashtag, uses FROM nexus.suggest_hashtags('river');
SELECT nexus.fold_hashtag_stats();
SELECT nexus.learn_source_post('river', '{Flood}', now(), 'x', 'u', NULL, NULL, NULL, 'test', 6);
SELECT hashtag, uses FROM nexus.suggest_hashtags('river');
SELECT nexus.retract_source_post('test', n) FROM unnest(ARRAY[1, 6]) n;
SELECT hashtag, uses FROM nexus.suggest_hashtags('river');
SELECT nexus.fold_hashtag_stats();
SELECT hashtag, uses FROM nexus.suggest_hashtags('river');
ROLLBACK;

-- Number: the form that is used a quarter as often or less is shown as the other; both stay what they are otherwise.
BEGIN;
SET LOCAL nexus.hashtag_min_authors = 1;
SELECT count(nexus.learn_source_post('river', ARRAY['Flood'], now(), 'x', 'u' || n, NULL, NULL, NULL, 'test', n)::text) FROM generate_series(1, 4) n;
SELECT nexus.learn_source_post('town', '{Floods}', now(), 'x', 'v', NULL, NULL, NULL, 'test', 5);
SELECT draft, hashtag, uses, evidence->'variant' AS variant FROM unnest(ARRAY['river', 'town', 'river town']) draft, nexus.suggest_hashtags(draft);
SELECT count(*) AS in_the_draft FROM nexus.suggest_hashtags('river town #floods');
SELECT count(*) AS excluded FROM nexus.suggest_hashtags('river town', exclude => '{FLOODS}');
SELECT hashtag, evidence->'variant' AS variant FROM nexus.suggest_hashtags('town', user_id => 'v');
SELECT hashtag FROM nexus.suggest_hashtags('town', user_id => 'u1');
SELECT nexus.fold_hashtag_stats();
SELECT draft, hashtag, uses, evidence->'variant' AS variant FROM unnest(ARRAY['river', 'town', 'river town']) draft, nexus.suggest_hashtags(draft);
-- Banned in the form that is shown, banned in both.
INSERT INTO nexus.hashtag_lists VALUES ('flood', DEFAULT, 'banned');
SELECT count(*) AS banned FROM nexus.suggest_hashtags('river town');
DELETE FROM nexus.hashtag_lists;
-- A fourth is not a rarer form any more; taken back, it is again.
SELECT nexus.retract_source_post('test', 4);
SELECT draft, hashtag, uses, evidence->'variant' AS variant FROM unnest(ARRAY['river', 'town']) draft, nexus.suggest_hashtags(draft);
SELECT nexus.learn_source_post('river', '{Flood}', now(), 'x', 'w', NULL, NULL, NULL, 'test', 6);
SELECT draft, hashtag, uses, evidence->'variant' AS variant FROM unnest(ARRAY['river', 'town']) draft, nexus.suggest_hashtags(draft);
-- Only where the other form is used.
SELECT nexus.retract_source_post('test', n) FROM generate_series(1, 6) n WHERE n <> 5;
SELECT hashtag, uses, evidence->'variant' AS variant FROM nexus.suggest_hashtags('town');
ROLLBACK;
