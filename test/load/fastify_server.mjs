// The load test's yardstick: Fastify and postgres.js serving the same transaction as the bridge, with its statements sent
// without waiting in between. Run where both packages are installed: node fastify_server.mjs PORT SOCKET_DIR CONNECTIONS
import Fastify from 'fastify';
import postgres from 'postgres';

const [port, host, max] = process.argv.slice(2);
const sql = postgres({ host, database: 'load', username: 'load_gate', max: Number(max) });
const claims = JSON.stringify({ role: 'load_web' });
const app = Fastify();

app.get('/rpc/item', async (request, reply) => {
  const rows = await sql.begin('ISOLATION LEVEL READ COMMITTED READ ONLY', (tx) => [
    tx`SELECT set_config('search_path', '"api", "public"', true), set_config('statement_timeout', '30000', true),
         set_config('role', 'load_web', true), set_config('request.jwt.claims', ${claims}, true),
         set_config('request.method', ${request.method}, true), set_config('request.path', ${request.routeOptions.url}, true),
         set_config('request.headers', ${JSON.stringify(request.headers)}, true), set_config('request.cookies', '{}', true)`,
    tx`WITH page AS (SELECT api.item(${request.query.key}) AS v)
       SELECT count(*)::text AS amount, coalesce((json_agg(v)->0)::text, 'null') AS body,
         nullif(current_setting('response.headers', true), '') AS headers,
         nullif(current_setting('response.status', true), '') AS status FROM page`,
  ]);
  reply.type('application/json; charset=utf-8').header('Content-Range', '0-0/*');
  return rows[1][0].body;
});

await app.listen({ port: Number(port), host: '127.0.0.1' });
