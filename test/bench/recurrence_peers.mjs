// A peer of the benchmark: argv[2] is rrule or rrule-rust, rules come as lines of "DTSTART RRULE" on standard input.
// Prints nanoseconds per occurrence and microseconds for the next one after 2026-06-15, each from a fresh start.
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';

const load = createRequire(process.cwd() + '/');
const library = load(process.argv[2]);
const wanted = 2000;
const cpu = () => process.cpuUsage().user * 1000;
const after = new Date(Date.UTC(2026, 5, 15, 12));

const engines = {
  'rrule': (start, rule) => {
    const set = () => library.rrulestr(`DTSTART:${start}Z\nRRULE:${rule}`);
    return {all: () => set().all((_, i) => i < wanted).length, next: () => set().after(after)};
  },
  'rrule-rust': (start, rule) => {
    const set = () => library.RRuleSet.fromString(`DTSTART:${start}Z\nRRULE:${rule}`);
    const bound = library.DateTime.fromString('20260615T120000Z');
    const end = library.DateTime.fromString('20280301T000000Z');
    return {all: () => set().all(wanted).length, next: () => set().between(bound, end, false)[0]};
  },
};

for (const line of readFileSync(0, 'utf8').trim().split('\n')) {
  const [start, rule] = line.split(' ');
  try {
    const engine = engines[process.argv[2]](start, rule);
    engine.all();
    let begin = cpu();
    let found = 0;
    for (let i = 0; i < 5; ++i) found += engine.all();
    const each = (cpu() - begin) / found;
    begin = cpu();
    engine.next();
    console.log(found ? each.toFixed(0) : '-', ((cpu() - begin) / 1000).toFixed(2));
  } catch (error) {
    console.log('- -');
  }
}
