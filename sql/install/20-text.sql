-- Text: lengths in every unit, the links a platform will make, canonical hashtags.

CREATE FUNCTION nexus.unicode_version() RETURNS text LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_unicode_version';
COMMENT ON FUNCTION nexus.unicode_version() IS
  'The version of the Unicode Character Database behind all text functions, such as 15.0.0. Keep it with a count that is stored: a later version may count otherwise.';

CREATE FUNCTION nexus.text_stats(
  body text,
  OUT bytes integer, OUT codepoints integer, OUT utf16_units integer, OUT graphemes integer, OUT x_weight integer,
  OUT mastodon_length integer, OUT lines integer, OUT bidi_controls boolean)
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_text_stats';
COMMENT ON FUNCTION nexus.text_stats(text) IS
  'How long a text is: bytes of UTF-8; codepoints (what char_length says); utf16_units (what JavaScript says); graphemes, the extended grapheme clusters of UAX #29 with rule GB9c, as Bluesky counts; x_weight, the weighted length of twitter-text 3 (configuration v3: in NFC, 1 or 2 for a character, 2 for an emoji sequence, 23 for a URL); mastodon_length (graphemes, 23 for a URL with protocol, @user@host as @user, nothing for a blank text; add the graphemes of the content warning). lines is 0 for an empty text, else one more than there are line ends. bidi_controls: it contains U+202A-202E or U+2066-2069.';

CREATE FUNCTION nexus.x_length(
  body text, config text DEFAULT 'v3',
  OUT weight integer, OUT permillage bigint, OUT valid boolean, OUT fits_char integer, OUT fits_utf16 integer, OUT fits_byte integer,
  OUT valid_range_end integer)
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_x_length';
COMMENT ON FUNCTION nexus.x_length(text, text) IS
  'Whether X takes a text, and how much of it: what twitter-text calls parseTweet. weight is the weighted length; permillage its share of the limit of 280, rounded down; valid: not empty, within the limit, without U+FEFF, U+FFFE and U+FFFF. The text up to fits_char would be taken: a place from 0 in characters, UTF-16 units and UTF-8 bytes of the text as given, never inside a URL, an emoji, or a sequence that composes in NFC. valid_range_end is the number that twitter-text itself gives for it: the last UTF-16 unit of the NFC text, moved by all that NFC shortens, also behind it. config: v3 counts an emoji sequence as one (2), v2 counts its parts; any other is 22023.';

CREATE FUNCTION nexus.entities(body text, dialect text DEFAULT 'x')
  RETURNS TABLE(kind text, value text, canonical text, start_char integer, end_char integer, start_utf16 integer,
                end_utf16 integer, start_byte integer, end_byte integer)
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 5
  AS 'MODULE_PATHNAME', 'nexus_entities';
COMMENT ON FUNCTION nexus.entities(text, text) IS
  'What the platform turns into links, in text order, overlaps resolved as the platform does. kind is hashtag, mention, list, url or cashtag; value stands in the text without its sign (a list is user/slug); canonical is what it means: the folded tag, the handle in lower case, the full URI. Positions count from 0, the end is the place behind, in characters, UTF-16 units and UTF-8 bytes. Dialect x follows twitter-text 3, its list of top-level domains included; bluesky follows the rich text of @atproto/api (there $aapl is a cashtag too); mastodon links URLs with protocol, @user and @user@host (value user@host), and tags that hold a letter; any other dialect is 22023.';

CREATE FUNCTION nexus.hashtags(body text, dialect text DEFAULT 'x') RETURNS text[]
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_hashtags';
COMMENT ON FUNCTION nexus.hashtags(text, text) IS
  'The hashtags of a text in canonical form, each once, in order of first appearance. Dialects and errors as of nexus.entities.';

CREATE FUNCTION nexus.canonical_hashtag(tag text) RETURNS text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_canonical_hashtag';
COMMENT ON FUNCTION nexus.canonical_hashtag(text) IS
  'A hashtag as it is compared and stored: without its sign, NFKC, case folded. #CaféLife becomes cafélife.';

CREATE FUNCTION nexus.grapheme_breaks(body text) RETURNS integer[]
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_grapheme_breaks';
COMMENT ON FUNCTION nexus.grapheme_breaks(text) IS
  'The borders of extended grapheme clusters (UAX #29 with rule GB9c) as numbers of characters from the start, 0 and the end included. A text may be cut there and nowhere else.';

CREATE FUNCTION nexus.is_valid(kind text, value text) RETURNS boolean
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_is_valid';
COMMENT ON FUNCTION nexus.is_valid(text, text) IS
  'True if the value as a whole is an identifier of that kind; syntax only, nothing is looked up. Kinds: hashtag, username, list (with their sign, as X has them: #tag, @name, @name/list), url, url_without_protocol (twitter-text), handle, did, atidentifier, aturi, nsid, tid, recordkey, language, datetime (AT Protocol; a date that does not exist is not valid). Any other kind is 22023.';
