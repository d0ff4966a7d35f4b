/* A peer of the benchmark: prints the nanoseconds that libical needs per occurrence of each rule on its standard input
 * (lines of "DTSTART RRULE"), and the microseconds for the next occurrence after 2026-06-15 from a fresh start. */
#include <libical/ical.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(void) {
  char line[512];
  while (fgets(line, sizeof line, stdin) != NULL) {
    char *rule = strchr(line, ' ');
    if (rule == NULL) continue;
    *rule++ = 0;
    rule[strcspn(rule, "\n")] = 0;
    struct icaltimetype start = icaltime_from_string(line), after = icaltime_from_string("20260615T120000");
    const int wanted = 2000;
    int found = 0;
    double begin = now();
    icalrecur_iterator *walk = icalrecur_iterator_new(icalrecurrencetype_from_string(rule), start);
    while (found < wanted && !icaltime_is_null_time(icalrecur_iterator_next(walk))) ++found;
    icalrecur_iterator_free(walk);
    double each = (now() - begin) / found;
    begin = now();
    walk = icalrecur_iterator_new(icalrecurrencetype_from_string(rule), start);
    struct icaltimetype at;
    do at = icalrecur_iterator_next(walk);
    while (!icaltime_is_null_time(at) && icaltime_compare(at, after) <= 0);
    icalrecur_iterator_free(walk);
    printf("%.0f %.2f\n", each, (now() - begin) / 1000);
  }
  return 0;
}
