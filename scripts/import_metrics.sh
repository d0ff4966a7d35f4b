#!/usr/bin/env bash
# scripts/import_metrics.sh FILE [PSQL OPTION...]: imports samples from a .csv file (its first line names the columns of
# content_metrics), a .json file (an array of objects) or a .jsonl file (an object a line), with the rights of whoever
# connects. A second import of the same file changes nothing. Prints how many samples were inserted, updated, unchanged and
# rejected, and the rejected ones by number from 0; the exit status is 1 if any was rejected.
set -euo pipefail
if [ $# -eq 0 ]; then
  sed -n '2,5s/^# //p' "$0" >&2
  exit 2
fi
file=$1
shift
if [ ! -r "$file" ]; then
  echo "error: $file cannot be read" >&2
  exit 2
fi
case $file in
  *.csv) call="nexus.ingest_metrics_csv(string_agg(line, E'\\n' ORDER BY number))" ;;
  *.jsonl) call="nexus.ingest_metrics(('[' || string_agg(line, ',' ORDER BY number) FILTER (WHERE line <> '') || ']')::jsonb)" ;;
  *.json) call="nexus.ingest_metrics(string_agg(line, E'\\n' ORDER BY number)::jsonb)" ;;
  *)
    echo "error: $file is neither .csv nor .json nor .jsonl" >&2
    exit 2
    ;;
esac
# COPY brings the lines as they are into a temporary table; the database reads them, so there is no parser here. The
# delimiter and the quote are characters that no line of text has.
answer=$(psql -X -q -At -v ON_ERROR_STOP=1 "$@" \
  -c 'CREATE TEMP TABLE import_lines (number integer GENERATED ALWAYS AS IDENTITY, line text)' \
  -c "\\copy import_lines (line) FROM PSTDIN WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02', NULL E'\\x03')" \
  -c "SELECT format('%s inserted, %s updated, %s unchanged, %s rejected', (i).inserted, (i).updated, (i).unchanged, (i).rejected),
      E'\\n' || (SELECT string_agg(e::text, E'\\n' ORDER BY (e->>'index')::bigint) FROM jsonb_array_elements((i).errors) e)
    FROM (SELECT $call AS i FROM import_lines) s" -F '' <"$file")
printf '%s\n' "$answer"
case $answer in *' 0 rejected'*) ;; *) exit 1 ;; esac
