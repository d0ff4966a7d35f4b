/* A peer of recurrence.py: reads lines "DTSTART RRULE LIMIT" and prints, for each, the instances that libical finds,
 * as iCalendar times; "refused" for a rule that it does not take, "gave up" after two seconds, "crashed" for a crash.
 * Each rule has a process of its own, since some hang and some crash. */
#include <libical/ical.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void expand(const char *start_text, const char *rule, int limit) {
  struct icaltimetype start = icaltime_from_string(start_text);
  icalrecur_iterator *walk = icalrecur_iterator_new(icalrecurrencetype_from_string(rule), start);
  if (walk == NULL) {
    puts("refused");
    return;
  }
  /* Held back until all is found: what precedes a hang or a crash is no answer. */
  static char found[1 << 14];
  size_t used = 0;
  for (int i = 0; i < limit && used < sizeof found - 64; ++i) {
    struct icaltimetype at = icalrecur_iterator_next(walk);
    if (icaltime_is_null_time(at)) break;
    used += (size_t)snprintf(found + used, sizeof found - used, "%04d%02d%02dT%02d%02d%02d ", at.year, at.month, at.day,
                             at.hour, at.minute, at.second);
  }
  puts(found);
}

int main(void) {
  char line[2048], start[32], rule[1024];
  int limit;
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (sscanf(line, "%31s %1023s %d", start, rule, &limit) != 3) return 1;
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0) {
      alarm(2);
      icalerror_set_errors_are_fatal(0);
      expand(start, rule, limit);
      fflush(stdout);
      _exit(0);
    }
    int status;
    if (waitpid(child, &status, 0) < 0) return 1;
    if (WIFSIGNALED(status)) puts(WTERMSIG(status) == SIGALRM ? "gave up" : "crashed");
  }
  return 0;
}
