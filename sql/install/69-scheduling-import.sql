-- Many posts from a file: CSV for scripts and for clients that speak HTTP only. JSON goes to schedule_posts() as it is.

CREATE FUNCTION nexus.schedule_posts_csv(body text)
  RETURNS TABLE (row_number integer, social_post_id integer, schedule_id integer, error jsonb) LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  objects jsonb := nexus.csv_objects(body, 'at', ARRAY['at', 'social_post_id', 'title', 'caption', 'hashtags', 'content_type', 'tz', 'rrule',
    'account_ids', 'series_end', 'max_occurrences', 'user_id']);
BEGIN
  -- Lists are words between spaces or commas, hashtags with or without their #.
  SELECT jsonb_agg(CASE WHEN jsonb_typeof(o) = 'object' THEN jsonb_strip_nulls(o)
      || CASE WHEN o ->> 'hashtags' IS NULL THEN '{}' ELSE jsonb_build_object('hashtags',
        ARRAY(SELECT ltrim(w, '#') FROM regexp_split_to_table(o ->> 'hashtags', '[\s,]+') w WHERE ltrim(w, '#') <> '')) END
      || CASE WHEN o ->> 'account_ids' IS NULL THEN '{}' ELSE jsonb_build_object('account_ids',
        ARRAY(SELECT w FROM regexp_split_to_table(o ->> 'account_ids', '[\s,]+') w WHERE w <> '')) END
      ELSE o END ORDER BY i) INTO objects
  FROM jsonb_array_elements(objects) WITH ORDINALITY AS r(o, i);
  RETURN QUERY SELECT s.row_number, s.social_post_id, s.schedule_id,
      CASE WHEN jsonb_typeof(objects -> (s.row_number - 1)) = 'string'
        THEN s.error || jsonb_build_object('message', 'the row has ' || (objects ->> (s.row_number - 1))) ELSE s.error END
    FROM nexus.schedule_posts(COALESCE(objects, '[]')) s;
END $$;
COMMENT ON FUNCTION nexus.schedule_posts_csv(text) IS
$$schedule_posts() for CSV: the first line names the columns (at, and social_post_id or title, caption, hashtags, content_type; tz, rrule, account_ids, series_end, max_occurrences), each other one is a post. Lists are separated by spaces or commas; text with line ends is quoted.
row_number counts posts from 1, so line 2 is row 1; each row succeeds or fails by itself. 22023 for a bad first line or more than 1000 rows, 22P04 for what is no CSV.$$;
