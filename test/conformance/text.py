#!/usr/bin/env python3
"""The vector files of text and validation: twitter-text, Bluesky, Mastodon, Unicode, AT Protocol, JSON Schema."""
import collections
import json
import re

from common import quote, report, run, vectors

FOLDER = "validation/"
FILES = ["atproto_syntax", "bluesky", "graphemes", "jsts_draft2020-12", "jsts_draft7", "mastodon", "tt_autolink",
         "tt_extract_validate", "tt_tlds", "x_generated"]
NOT_THERE = {"0A000", "42883"}  # not supported yet; no such function
NO_JSONB = "22P05"  # a document with \\u0000, which jsonb refuses before any function is called
# Expect that a limit of 140 characters makes a text invalid; twitter-text's own code says it is valid.
OPTIONAL = {"tt-validate-tweets-006", "tt-validate-tweets-007"}
KINDS = {"validate_hashtag": "hashtag", "validate_username": "username", "validate_list": "list", "validate_url": "url",
         "validate_url_without_protocol": "url_without_protocol"}


def rows(select):
    return f"SELECT coalesce(jsonb_agg(r), '[]') FROM ({select}) r"


def stats(body):
    return f"SELECT to_jsonb(s) FROM nexus.text_stats({quote(body)}) s"


def entities(body, dialect="x"):
    return rows(f"SELECT * FROM nexus.entities({quote(body)}, '{dialect}')")


def statement(case):
    """The SQL that answers a case, or None where the contract has no function for it."""
    op, body = case["op"], case["input"]
    if op == "grapheme_breaks":
        return f"SELECT to_jsonb(nexus.grapheme_breaks({quote(body)}))"
    if op == "text_lengths":
        return stats(body)
    if op == "weighted_length":
        return (f"SELECT to_jsonb(x) || to_jsonb(s) FROM nexus.x_length({quote(body)}, {quote(case['args']['config'])}) x, "
                f"nexus.text_stats({quote(body)}) s")
    if op == "validate_tweet":
        return f"SELECT to_jsonb((nexus.x_length({quote(body)})).valid)"
    if op == "mastodon_length":
        return (f"SELECT to_jsonb((nexus.text_stats({quote(body['text'])})).mastodon_length + "
                f"(nexus.text_stats({quote(body['spoiler_text'])})).graphemes)")
    if op == "bsky_facets":
        return entities(body, "bluesky")
    if op.startswith("extract_"):
        return entities(body)
    if op in KINDS or op.startswith("validate_"):
        kind = KINDS.get(op, op.removeprefix("validate_").removesuffix("_strict"))
        return f"SELECT to_jsonb(nexus.is_valid({quote(kind)}, {quote(body)}))"
    if op == "json_schema_valid":
        schema, document = quote(json.dumps(body["schema"])), quote(json.dumps(body["data"]))
        draft = quote(case["args"]["draft"])
        return f"SELECT to_jsonb(nexus.jsonschema_valid({schema}::jsonb, {document}::jsonb, {draft}))"
    return None


def indices(entity):
    return [entity["start_char"], entity["end_char"]]


def values(found, *kinds):
    return [e["value"] for e in found if e["kind"] in kinds]


def extracted(op, body, found):
    """What twitter-text's function would give, from the rows of nexus.entities."""
    if op == "extract_entities":
        return [{"type": e["kind"], "value": e["value"], "indices": indices(e)} for e in found]
    if op == "extract_hashtags":
        return values(found, "hashtag")
    if op == "extract_cashtags":
        return values(found, "cashtag")
    if op == "extract_mentions":
        return values(found, "mention")
    if op == "extract_urls":
        return values(found, "url")
    if op == "extract_hashtags_with_indices":
        return [{"hashtag": e["value"], "indices": indices(e)} for e in found if e["kind"] == "hashtag"]
    if op == "extract_urls_with_indices":
        return [{"url": e["value"], "indices": indices(e)} for e in found if e["kind"] == "url"]
    if op == "extract_mentions_or_lists_with_indices":
        result = []
        for e in found:
            if e["kind"] in ("mention", "list"):
                name, _, slug = e["value"].partition("/")
                result.append({"screen_name": name, "list_slug": slug and "/" + slug, "indices": indices(e)})
        return result
    if op == "extract_reply":
        first = [e for e in found if e["kind"] in ("mention", "list")][:1]
        return first[0]["value"].split("/")[0] if first and not body[:first[0]["start_char"]].strip() else None
    raise SystemExit(f"unknown op {op}")


def facets(found):
    kinds = {"hashtag": "tag", "cashtag": "tag", "mention": "mention", "url": "link"}
    result = []
    for e in found:
        value = {"url": e["canonical"], "cashtag": "$" + e["canonical"]}.get(e["kind"], e["value"])
        result.append({"byteStart": e["start_byte"], "byteEnd": e["end_byte"], "type": kinds[e["kind"]], "value": value})
    return result


def weighted(expected, value):
    return expected == {
        "weightedLength": value["weight"], "valid": value["valid"], "permillage": value["permillage"],
        "displayRangeStart": 0, "displayRangeEnd": max(value["utf16_units"] - 1, 0),
        "validRangeStart": 0, "validRangeEnd": value["valid_range_end"]}


def verdict(case, value):
    op, expected = case["op"], case["expected"]
    if op == "text_lengths":
        return expected == {"utf8_bytes": value["bytes"], "utf16_units": value["utf16_units"],
                            "codepoints": value["codepoints"], "graphemes": value["graphemes"]}
    if op == "mastodon_length":
        return expected == {"length": value, "valid": value <= case["args"]["max"]}
    if op == "weighted_length":
        return weighted(expected, value)
    if op == "bsky_facets":
        def order(facet):
            return facet["byteStart"], facet["byteEnd"]
        return sorted(facets(value), key=order) == sorted(expected, key=order)
    if op.startswith("extract_"):
        return extracted(op, case["input"], value) == expected
    return value == expected


def skip_reason(case, answer):
    """Why a case of the JSON Schema suite says nothing about us, or None."""
    if answer.get("sqlstate") == NO_JSONB:
        return "with the character 0, which jsonb does not hold"
    if answer.get("sqlstate") == "0A000":
        return "with " + re.sub(r"^.*?(refers to another document|\\$schema|in a regular).*$", lambda m: {
            "refers to another document": "a reference to another document",
            "$schema": "another $schema"}.get(m[1], "a regular expression that is not supported"), answer["message"])
    if case["group"] == "vocabulary" and case.get("needs_remote"):
        return "whose vocabulary is said by another document"
    return None


def main():
    for name in FILES:
        cases = vectors(f"{FOLDER}{name}.jsonl")
        asked = [(case, sql) for case in cases for sql in [statement(case)] if sql is not None]
        answers = run([sql for _, sql in asked])
        passed, unsupported, failures = 0, len(cases) - len(asked), []
        skips, optional = collections.defaultdict(list), collections.Counter()
        for (case, _), answer in zip(asked, answers, strict=True):
            if case["op"] == "json_schema_valid" and (reason := skip_reason(case, answer)):
                skips[reason].append(case["id"])
                unsupported += 1
                continue
            if answer.get("sqlstate") in NOT_THERE or answer.get("sqlstate") == NO_JSONB:
                unsupported += 1
                continue
            result = "sqlstate" not in answer and verdict(case, answer["value"])
            if case["id"] in OPTIONAL or case["op"] == "json_schema_valid" and case["group"].startswith("optional/"):
                optional["passed" if result else "failed"] += 1
                unsupported += 1
                continue
            if result is None:
                unsupported += 1
            elif result:
                passed += 1
            else:
                failures.append((case["id"], answer))
        report(f"{FOLDER}{name}.jsonl", passed, len(failures), unsupported)
        for reason, identifiers in sorted(skips.items()):
            print(f"  skipped: {len(identifiers)} {reason}: {' '.join(identifiers)}", flush=True)
        if optional:
            print(f"  optional: {optional['passed']} passed, {optional['failed']} failed, counted as unsupported", flush=True)
        for identifier, answer in failures[:5]:
            print(f"  failed: {identifier}: {json.dumps(answer, ensure_ascii=False)[:300]}", flush=True)


if __name__ == "__main__":
    main()
