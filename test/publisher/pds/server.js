// A Bluesky PDS and its directory on loopback: node server.js PORT PLC_PORT FOLDER. Prints the DID of alice.test.
const fs = require('node:fs')
const net = require('node:net')
const crypto = require('node:crypto')

const [port, plcPort] = process.argv.slice(2, 4).map(Number)
const folder = process.argv[4]

// Both packages listen on every interface.
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (...args) {
  if (typeof args[0] !== 'number') return listen.apply(this, args)
  return listen.call(this, { port: args[0], host: '127.0.0.1' }, ...args.slice(1).filter((a) => typeof a === 'function'))
}

async function main() {
  const plc = require('@did-plc/server')
  const { PDS, envToCfg, envToSecrets, readEnv } = require('@atproto/pds')
  const db = plc.Database?.mock ? plc.Database.mock() : new plc.MockDatabase()
  await plc.PlcServer.create({ db, port: plcPort }).start()
  fs.mkdirSync(`${folder}/blobs`, { recursive: true })
  const env = {
    ...readEnv(), devMode: true, port, hostname: 'localhost', dataDirectory: folder, blobstoreDiskLocation: `${folder}/blobs`,
    didPlcUrl: `http://127.0.0.1:${plcPort}`, jwtSecret: crypto.randomBytes(16).toString('hex'), adminPassword: 'admin',
    plcRotationKeyK256PrivateKeyHex: crypto.randomBytes(32).toString('hex'), inviteRequired: false, serviceHandleDomains: ['.test'],
    rateLimitsEnabled: false, bskyAppViewUrl: undefined,
  }
  await (await PDS.create(envToCfg(env), envToSecrets(env))).start()
  const answer = await fetch(`http://127.0.0.1:${port}/xrpc/com.atproto.server.createAccount`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'alice@example.org', handle: 'alice.test', password: 'app-password' }),
  })
  const account = await answer.json()
  if (!account.did) throw new Error(JSON.stringify(account))
  console.log(account.did)
}
main().catch((error) => {
  console.error(error)
  process.exit(1)
})
