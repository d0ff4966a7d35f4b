// Compiles only while arguments and answers are typed.
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

const client = createClient<paths>({ baseUrl: "http://127.0.0.1" });

export async function typed(): Promise<void> {
  const zone = await client.POST("/rpc/is_timezone", { body: { tz: "UTC" } });
  const known: boolean | null | undefined = zone.data;
  const stats = await client.GET("/rpc/text_stats", { params: { query: { body: "text" } } });
  const bytes: number | null | undefined = stats.data?.bytes;
  // @ts-expect-error an argument of the wrong type
  await client.POST("/rpc/is_timezone", { body: { tz: 1 } });
  // @ts-expect-error a function that is not there
  await client.POST("/rpc/is_no_function", { body: {} });
  console.log(known, bytes);
}
