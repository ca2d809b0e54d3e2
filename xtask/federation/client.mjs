// The certified client library of npm as an application that people sign in to, for tests.
//
//   node client.mjs '{"port": 3001, "issuer": "…", "client_id": "…", "client_secret": "…", "auth": "client_secret_basic"}'
//
// GET  /go?scope=…&prompt=…     sends the browser to the provider, with what stands in the query
// GET  /cb                      takes the answer: claims of the ID token, tokens, user-info
// POST /refresh, /introspect, /revoke    the body is the token
// POST /machine                 a token of the client's own; the body is JSON of its parameters
// POST /fetch                   the body is JSON {url, token}: what a resource answers to that token
// GET  /out?…                   sends the browser to be signed out, with what stands in the query
// POST /told, GET /told         takes logout tokens, checked as Back-Channel Logout §2.6 has it; lists what they said
// PUT  /deaf                    the body true: logout tokens are answered with 503 from now on
// It prints one line of JSON when it is ready.

import { createServer } from 'node:http';
import * as jose from 'jose';
import * as client from 'openid-client';

import { body, here } from './here.mjs';

const wish = JSON.parse(process.argv[2]);
const own = `http://127.0.0.1:${wish.port}`;
const options = { execute: [client.allowInsecureRequests], [client.customFetch]: here };
const told = [];
let deaf = false;
let kept = {};

async function auth() {
  if (wish.auth === 'none') return client.None();
  if (wish.auth === 'client_secret_post') return client.ClientSecretPost(wish.client_secret);
  if (wish.auth === 'private_key_jwt') return client.PrivateKeyJwt({ key: await jose.importJWK(wish.key, wish.key.alg, { extractable: false }), kid: wish.key.kid });
  return client.ClientSecretBasic(wish.client_secret);
}

const registered = { id_token_signed_response_alg: wish.algorithm ?? 'ES256' };
const config = await client.discovery(new URL(wish.issuer), wish.client_id, registered, await auth(), options);
const server = config.serverMetadata();
const keys = jose.createRemoteJWKSet(new URL(server.jwks_uri), { [jose.customFetch]: here });

async function go(query) {
  const code_verifier = client.randomPKCECodeVerifier();
  kept = { code_verifier, state: client.randomState(), nonce: client.randomNonce(), max_age: query.get('max_age') };
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: `${own}/cb`,
    scope: 'openid email profile',
    code_challenge: await client.calculatePKCECodeChallenge(code_verifier),
    code_challenge_method: 'S256',
    state: kept.state,
    nonce: kept.nonce,
    ...Object.fromEntries(query),
  });
  return url.href;
}

async function taken(url) {
  const checks = { pkceCodeVerifier: kept.code_verifier, expectedState: kept.state, expectedNonce: kept.nonce };
  if (kept.max_age) checks.maxAge = Number(kept.max_age);
  const tokens = await client.authorizationCodeGrant(config, new URL(url, own), checks);
  const user = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  return { claims: tokens.claims(), user, ...tokens };
}

// OpenID Connect Back-Channel Logout 1.0 §2.6.
async function checked(token) {
  const { payload, protectedHeader } = await jose.jwtVerify(token, keys, { issuer: wish.issuer, audience: wish.client_id, typ: 'logout+jwt', requiredClaims: ['iat', 'exp', 'jti', 'sid', 'sub'] });
  if (payload.nonce !== undefined) throw new Error('a logout token has no nonce');
  if (!payload.events?.['http://schemas.openid.net/event/backchannel-logout']) throw new Error('it is no logout token');
  return { alg: protectedHeader.alg, sub: payload.sub, sid: payload.sid };
}

async function answer(req, res) {
  const url = new URL(req.url, own);
  const way = `${req.method} ${url.pathname}`;
  const leave = (to) => { res.writeHead(303, { location: to }).end(); };
  if (way === 'GET /go') return leave(await go(url.searchParams));
  if (way === 'GET /cb') return await taken(req.url);
  if (way === 'GET /bye') return { bye: url.searchParams.get('state') };
  if (way === 'GET /out') return leave(client.buildEndSessionUrl(config, Object.fromEntries(url.searchParams)).href);
  if (way === 'POST /refresh') return await client.refreshTokenGrant(config, await body(req));
  if (way === 'POST /introspect') return await client.tokenIntrospection(config, await body(req));
  if (way === 'POST /revoke') return (await client.tokenRevocation(config, await body(req))) ?? {};
  if (way === 'POST /machine') return await client.clientCredentialsGrant(config, JSON.parse(await body(req)));
  if (way === 'POST /fetch') {
    const { url: at, token } = JSON.parse(await body(req));
    const found = await here(at, { headers: { authorization: `Bearer ${token}` } });
    return { status: found.status, body: await found.text() };
  }
  if (way === 'GET /told') return told;
  if (way === 'PUT /deaf') { deaf = JSON.parse(await body(req)); return {}; }
  if (way === 'POST /told') {
    if (deaf) { res.writeHead(503).end(); return undefined; }
    told.push(await checked(new URLSearchParams(await body(req)).get('logout_token')));
    return {};
  }
  res.writeHead(404).end();
  return undefined;
}

createServer(async (req, res) => {
  try {
    const found = await answer(req, res);
    if (found !== undefined) res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(found));
  } catch (error) {
    // What the library says is the test's to judge.
    const said = { name: error.name, code: error.code, error: error.error ?? error.cause?.error, description: error.error_description, message: error.message };
    res.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify(said));
  }
}).listen(wish.port, '127.0.0.1', () => console.log(JSON.stringify({ own })));
