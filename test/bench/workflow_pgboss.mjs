// The queue beside pg-boss, both through node-postgres: 4 workers that fetch a batch and complete it, durable, until a
// backlog is done (a small one: pg-boss sorts all of it for each batch). argv[2] is pg-boss or queue; prints jobs per second.
import {createRequire} from 'node:module';

const load = createRequire(process.cwd() + '/');
const batch = 50;
const workers = 4;
const count = Number(process.env.NEXUS_BENCH_JOBS ?? 20000);

async function drain(step) {
  let done = 0;
  const began = performance.now();
  await Promise.all(Array.from({length: workers}, async () => {
    for (let got; (got = await step()) > 0;) done += got;
  }));
  if (done !== count) throw new Error(`${done} of ${count} jobs were completed`);
  return done / (performance.now() - began) * 1000;
}

const {Pool} = load('pg');
const pool = new Pool({host: process.env.PGHOST, user: process.env.PGUSER, database: process.env.PGDATABASE, max: workers});
const peers = {
  async 'pg-boss'() {
    const PgBoss = load('pg-boss');
    const boss = new PgBoss({db: {executeSql: (text, values) => pool.query(text, values)}, supervise: false, schedule: false});
    await boss.start();
    await boss.createQueue('bench');
    await boss.insert(Array.from({length: count}, () => ({name: 'bench', data: {}})));
    await pool.query('VACUUM (FREEZE, ANALYZE) pgboss.job');
    const rate = await drain(async () => {
      const jobs = await boss.fetch('bench', {batchSize: batch});
      if (jobs.length > 0) await boss.complete('bench', jobs.map((job) => job.id));
      return jobs.length;
    });
    await boss.stop({graceful: false, close: false, wait: false});
    await pool.query('DROP SCHEMA pgboss CASCADE');
    return rate;
  },
  async queue() {
    await pool.query(`INSERT INTO nexus.jobs (kind, lane, account_id, run_at) SELECT 'ai_task', 'bench', i % 5000 + 1, now() - random() * interval '1 hour'
      FROM generate_series(1, ${count}) i`);
    await pool.query('VACUUM (FREEZE, ANALYZE) nexus.jobs');
    const claim = {name: 'claim', text: "SELECT id, payload, lease_token FROM nexus.claim_jobs('{bench}', $1, worker => 'w')", values: [batch]};
    const rate = await drain(async () => {
      const jobs = (await pool.query(claim)).rows;
      const ended = await pool.query({name: 'complete', text: 'SELECT nexus.complete_jobs($1, $2)',
        values: [jobs.map((job) => job.id), jobs.map((job) => job.lease_token)]});
      return ended.rows.length;
    });
    await pool.query('TRUNCATE nexus.jobs');
    return rate;
  },
};
console.log((await peers[process.argv[2]]()).toFixed(0));
await pool.end();
