// A provider of accounts on loopback: npm's oauth2-mock-server with rotating refresh tokens, a Mastodon server that takes
// its access tokens, and sessions of a PDS. node provider.mjs PORT [PREFIX]: every secret begins with PREFIX.
// PUT /_control {hold, status, error, empty_refresh, expires_in, expire, revoke}; GET /_log; GET /_secrets.
import http from 'node:http'
import { OAuth2Server } from 'oauth2-mock-server'

const port = Number(process.argv[2])
const prefix = process.argv[3] ?? 'clear'
const base = `http://127.0.0.1:${port}`
const server = new OAuth2Server()
await server.issuer.keys.generate('ES256')
server.issuer.url = base

const control = {}
const log = []
const secrets = new Set()
const access = new Set()
const refresh = new Set()
const statuses = []
const keys = new Map()
let made = 0

function secret(kind) {
  const value = `${prefix}-${kind}-${++made}-${Math.random().toString(36).slice(2)}`
  secrets.add(value)
  return value
}

server.service.on('beforeAuthorizeRedirect', (redirect) => {
  secrets.add(redirect.url.searchParams.get('code'))
  if (control.error === 'access_denied') {
    redirect.url.searchParams.delete('code')
    redirect.url.searchParams.set('error', 'access_denied')
  }
})
server.service.on('beforeResponse', (response, request) => {
  const asked = request.body
  if (asked.code_verifier) secrets.add(asked.code_verifier)
  const given = Buffer.from((request.headers.authorization ?? '').replace('Basic ', ''), 'base64').toString()
  log.push({ grant: asked.grant_type, client: given.split(':')[0], proved: given === `our%20app:${prefix}-client-secret` })
  if (control.status || control.error || (asked.grant_type === 'refresh_token' && !refresh.delete(asked.refresh_token))) {
    response.statusCode = control.status ?? 400
    // a provider that repeats what it should not
    response.body = { error: control.error ?? 'invalid_grant', error_description: `no good: ${asked.refresh_token ?? asked.code}` }
    return
  }
  response.body = { access_token: secret('access'), token_type: 'Bearer', expires_in: control.expires_in ?? 3600, scope: 'read write' }
  access.add(response.body.access_token)
  response.body.refresh_token = control.empty_refresh ? '' : secret('refresh')
  if (control.empty_refresh && asked.refresh_token) refresh.add(asked.refresh_token)
  if (response.body.refresh_token) refresh.add(response.body.refresh_token)
})
server.service.on('beforeUserinfo', (response, request) => {
  const bearer = (request.headers.authorization ?? '').replace('Bearer ', '')
  response.statusCode = access.has(bearer) ? 200 : 401
  response.body = access.has(bearer) ? { sub: 'remote-1', name: 'Ann Example', preferred_username: 'ann' } : { error: 'invalid_token', error_description: bearer }
})
server.service.on('beforeRevoke', (response, request) => log.push({ revoked: true }))

const body_of = async (request) => {
  const parts = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts).toString()
}
const answer = (response, status, body) => {
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(body))
}

function session(response) {
  const exp = Buffer.from(JSON.stringify({ exp: Math.floor(Date.now() / 1000) + 7200 })).toString('base64url')
  const pair = { accessJwt: `e30.${exp}.${secret('session')}`, refreshJwt: `e30.${exp}.${secret('session')}` }
  secrets.add(pair.accessJwt).add(pair.refreshJwt)
  refresh.add(pair.refreshJwt)
  answer(response, 200, { ...pair, did: 'did:plc:ann', handle: 'ann.test' })
}

async function own(request, response, path) {
  if (path === '/_log') return answer(response, 200, log)
  if (path === '/_secrets') return answer(response, 200, [...secrets])
  const body = await body_of(request)
  if (path === '/_control') {
    for (const name of Object.keys(control)) delete control[name]
    Object.assign(control, JSON.parse(body))
    if (control.expire) access.clear()
    if (control.revoke) refresh.clear()
    return answer(response, 200, {})
  }
  const bearer = (request.headers.authorization ?? '').replace('Bearer ', '')
  if (path.endsWith('.createSession')) {
    const asked = JSON.parse(body)
    if (asked.password !== `${prefix}-app-password`) return answer(response, 401, { error: 'AuthenticationRequired', message: `no: ${asked.password}` })
    return session(response)
  }
  if (path.endsWith('.refreshSession')) {
    return refresh.delete(bearer) ? session(response) : answer(response, 400, { error: 'ExpiredToken', message: bearer })
  }
  if (path.endsWith('.deleteSession')) {
    log.push({ ended: secrets.has(bearer) })
    return answer(response, 200, {})
  }
  if (!access.has(bearer)) return answer(response, 401, { error: 'The access token is invalid' })
  const key = request.headers['idempotency-key']
  if (!keys.has(key)) {
    const status = { id: String(statuses.length + 1), url: `${base}/${statuses.length + 1}`, content: JSON.parse(body).status }
    statuses.push(status)
    keys.set(key, status)
    log.push({ posted: status.content })
  }
  answer(response, 200, keys.get(key))
}

http.createServer(async (request, response) => {
  const path = new URL(request.url, base).pathname
  if (path.startsWith('/_') || path.startsWith('/xrpc/') || path.startsWith('/api/')) return own(request, response, path)
  if (path === '/token' && control.hold) {
    log.push({ began: true })
    await new Promise((done) => setTimeout(done, control.hold))
    if (response.socket?.destroyed) return    // who asked is gone: nothing was granted
  }
  server.service.requestHandler(request, response)
}).listen(port, '127.0.0.1')
