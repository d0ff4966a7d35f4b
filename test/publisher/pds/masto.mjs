// The client masto reads what the stand-in of a Mastodon server has: node masto.mjs URL TOKEN. Prints {"account", "texts"}.
import { createRestAPIClient } from 'masto'

const [url, accessToken] = process.argv.slice(2)
const client = createRestAPIClient({ url, accessToken })
const account = await client.v1.accounts.verifyCredentials()
const sent = await client.v1.statuses.create({ status: 'by masto' }, { requestInit: { headers: { 'Idempotency-Key': 'masto-1' } } })
const again = await client.v1.statuses.create({ status: 'by masto' }, { requestInit: { headers: { 'Idempotency-Key': 'masto-1' } } })
const texts = []
for await (const page of client.v1.accounts.$select(account.id).statuses.list({ limit: 40 })) {
  if (page.length === 0) break
  texts.push(...page.map((status) => status.content))
}
console.log(JSON.stringify({ account: account.id, same: sent.id === again.id, texts }))
