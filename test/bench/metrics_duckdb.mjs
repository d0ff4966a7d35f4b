// A peer of the benchmark: DuckDB with one thread. argv: CSV file of samples, rounds. Prints its version, then for each
// statement the CPU milliseconds of its best round.
import {createRequire} from 'node:module';

const load = createRequire(process.cwd() + '/');
const {DuckDBInstance} = load('@duckdb/node-api');
const [file, rounds] = process.argv.slice(2);
const connection = await (await DuckDBInstance.create(':memory:', {threads: '1'})).connect();
const version = (await connection.runAndReadAll('SELECT version()')).getRows()[0][0];
await connection.run(`CREATE TABLE samples AS SELECT * FROM read_csv('${file}', header = true)`);
console.log('version', version);

const sums = 'sum(views), sum(likes), sum(comments), sum(shares), sum(saves), sum(reach), sum(clicks)';
const statements = {
  day: `CREATE OR REPLACE TEMP TABLE answer AS SELECT content_id, captured_at::date, ${sums} FROM samples GROUP BY ALL`,
  busy_day: `CREATE OR REPLACE TEMP TABLE answer AS SELECT busy_id, captured_at::date, ${sums} FROM samples GROUP BY ALL`,
  all: `CREATE OR REPLACE TEMP TABLE answer AS SELECT ${sums} FROM samples`,
  content: `CREATE OR REPLACE TEMP TABLE answer AS SELECT content_id, ${sums} FROM samples GROUP BY ALL`,
};
for (const [name, statement] of Object.entries(statements)) {
  let best = Infinity;
  for (let round = 0; round < Number(rounds); ++round) {
    const start = process.cpuUsage();
    await connection.run(statement);
    const {user, system} = process.cpuUsage(start);
    best = Math.min(best, (user + system) / 1000);
  }
  console.log(name, best.toFixed(1));
}
