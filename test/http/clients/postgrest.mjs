// The calls of @supabase/postgrest-js, unpatched. Prints TAP.
import { PostgrestClient } from "@supabase/postgrest-js";
import assert from "node:assert/strict";

const [, , url, token] = process.argv;
const client = new PostgrestClient(url, { schema: "api" });
let count = 0;

async function test(name, body) {
  count += 1;
  try {
    await body();
    console.log(`ok ${count} - ${name}`);
  } catch (error) {
    console.log(`not ok ${count} - ${name}`);
    console.log(String(error.stack).replace(/^/gm, "# "));
  }
}

// The answer of a query that must succeed.
async function data(query) {
  const answer = await query;
  assert.equal(answer.error, null, JSON.stringify(answer.error));
  return answer.data;
}

await test("rpc with arguments", async () => assert.equal(await data(client.rpc("add", { a: 1, b: 2 })), 3));
await test("rpc by GET", async () => assert.equal(await data(client.rpc("add", { a: 1, b: 2 }, { get: true })), 3));
await test("an array by GET", async () =>
  assert.equal(await data(client.rpc("total", { items: [1, 2, 3] }, { get: true })), 6));
await test("an array in the body", async () => assert.equal(await data(client.rpc("total", { items: [1, 2, 3] })), 6));
await test("select, filter, order, limit", async () =>
  assert.deepEqual(await data(client.rpc("posts").select("id,title").gt("id", 1).order("id", { ascending: false }).limit(2)), [
    { id: 5, title: "post 5" },
    { id: 4, title: "post 4" },
  ]));
await test("in, or, not, like", async () => {
  assert.equal((await data(client.rpc("posts").in("id", [1, 3]))).length, 2);
  assert.equal((await data(client.rpc("posts").or("id.eq.1,title.like.*5"))).length, 2);
  assert.equal((await data(client.rpc("posts").not("id", "eq", 1))).length, 4);
  assert.equal((await data(client.rpc("posts").ilike("title", "POST%"))).length, 5);
  assert.equal((await data(client.rpc("posts").is("secret", null))).length, 5);
});
await test("range and an exact count", async () => {
  const answer = await client.rpc("posts", {}, { count: "exact" }).range(1, 2);
  assert.equal(answer.status, 206);
  assert.equal(answer.count, 5);
  assert.deepEqual(answer.data.map((row) => row.id), [2, 3]);
});
await test("HEAD with a count", async () => {
  const answer = await client.rpc("posts", {}, { head: true, count: "exact" });
  assert.equal(answer.error, null);
  assert.equal(answer.count, 5);
});
await test("single and maybeSingle", async () => {
  assert.equal((await data(client.rpc("posts").eq("id", 2).single())).id, 2);
  const many = await client.rpc("posts").single();
  assert.equal(many.error.code, "PGRST116");
  assert.equal(await data(client.rpc("posts").eq("id", 99).maybeSingle()), null);
});
await test("csv", async () =>
  assert.equal(await data(client.rpc("posts").select("id,title").eq("id", 1).csv()), "id,title\n1,\"post 1\""));
await test("an error of the database", async () => {
  const answer = await client.rpc("fail");
  assert.equal(answer.status, 400);
  assert.deepEqual(answer.error, { ...answer.error, code: "P0001", message: "it failed", details: "because", hint: "try" });
});
await test("a function that is not there", async () => {
  const answer = await client.rpc("post");
  assert.equal(answer.status, 404);
  assert.equal(answer.error.code, "PGRST202");
  assert.match(answer.error.hint, /api\.posts/);
});
await test("void", async () => {
  const answer = await client.rpc("nothing");
  assert.equal(answer.status, 204);
  assert.equal(answer.data, null);
});
await test("another schema", async () => assert.equal(await data(client.schema("other").rpc("where_am_i")), "other"));
await test("a schema that is not exposed", async () => {
  const answer = await client.schema("secret").rpc("x");
  assert.equal(answer.error.code, "PGRST106");
});
await test("a token", async () => {
  const signed = new PostgrestClient(url, { schema: "api", headers: { Authorization: `Bearer ${token}` } });
  assert.equal(await data(signed.rpc("who")), "author");
  assert.equal(await data(client.rpc("who")), "visitor");
});
console.log(`1..${count}`);
