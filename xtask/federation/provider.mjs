// The certified OpenID provider of npm as an outside provider, for tests: whoever asks is signed in as the person that
// the test has set, and consents to everything.
//
//   node provider.mjs '{"port": 3000, "redirect_uris": ["…"], "algorithm": "RS256", "par": true, "iss": true}'
//
// PUT /test/person {"sub": …, …}   who signs in from now on; claims beside `sub` come from user-info or the ID token
// PUT /test/deny true              whoever asks says no
// POST /test/rotate                other keys from now on, with the same issuer
// POST /test/end {"sub": …}        ends the person's sessions there, which tells us (back-channel logout)
// It prints one line of JSON when it is ready.

import { createServer } from 'node:http';
import * as jose from 'jose';
import { Provider } from 'oidc-provider';

import { body, here } from './here.mjs';

const wish = JSON.parse(process.argv[2]);
const issuer = `http://127.0.0.1:${wish.port}`;
let person = { sub: 'ada-248289761001' };
let deny = false;
let handler;

async function keys() {
  const made = await jose.generateKeyPair(wish.algorithm ?? 'RS256', { extractable: true });
  const jwk = await jose.exportJWK(made.privateKey);
  return { keys: [{ ...jwk, use: 'sig', kid: crypto.randomUUID(), alg: wish.algorithm ?? 'RS256' }] };
}

async function build() {
  const provider = new Provider(issuer, {
    jwks: await keys(),
    clients: [
      { client_id: 'robot', client_secret: 'of the robot', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
      {
        client_id: 'tutela',
        client_secret: 'a secret with + & = in it',
        redirect_uris: wish.redirect_uris,
        post_logout_redirect_uris: wish.post_logout_redirect_uris ?? [],
        id_token_signed_response_alg: wish.algorithm ?? 'RS256',
        token_endpoint_auth_method: wish.auth ?? 'client_secret_basic',
        backchannel_logout_uri: wish.backchannel_logout_uri,
        backchannel_logout_session_required: true,
        require_pushed_authorization_requests: wish.par ?? false,
        jwks_uri: wish.jwks_uri,
      },
    ].map((client) => Object.fromEntries(Object.entries(client).filter(([name, value]) => value !== undefined && !(name === 'client_secret' && wish.auth === 'private_key_jwt')))),
    features: {
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, audience) => ({ audience, scope: 'invoices:read', accessTokenFormat: 'jwt', jwt: { sign: { alg: wish.algorithm ?? 'RS256' } } }),
      },
      devInteractions: { enabled: false },
      pushedAuthorizationRequests: { enabled: wish.par ?? false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    enabledJWA: { clientAuthSigningAlgValues: ['ES256', 'EdDSA', 'RS256'] },
    acrValues: ['urn:test:mfa', 'urn:test:one'],
    claims: { openid: ['sub', 'sid', 'acr', 'amr'], email: ['email', 'email_verified'], profile: ['name', 'groups', 'hd'] },
    conformIdTokenClaims: wish.userinfo ?? false,
    pkce: { required: () => true },
    findAccount: (_ctx, id) => ({ accountId: id, claims: async () => ({ ...person, sub: id }) }),
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    cookies: { keys: ['for tests only'] },
    fetch: here,
  });
  provider.on('server_error', (_ctx, error) => console.error(error));
  const callback = provider.callback();
  return async (req, res) => {
    if (req.url.startsWith('/user')) {
      // Who the holder of a token is, in the shape of GitHub: an id that is a number, and mail addresses apart.
      const token = await provider.AccessToken.find((req.headers.authorization ?? '').replace(/^Bearer /i, ''));
      if (!token) return res.writeHead(401).end('{"message": "Bad credentials"}');
      res.setHeader('content-type', 'application/json');
      if (req.url === '/user') return res.end(JSON.stringify({ id: person.id, login: person.login, name: null, email: 'shown@elsewhere.example' }));
      return res.end(JSON.stringify([{ email: 'other@corp.example', primary: false, verified: true }, { email: person.email, primary: true, verified: person.email_verified }]));
    }
    if (!req.url.startsWith('/interaction/')) return callback(req, res);
    const { prompt, params, session } = await provider.interactionDetails(req, res);
    if (deny) return provider.interactionFinished(req, res, { error: 'access_denied' });
    if (prompt.name === 'login') {
      return provider.interactionFinished(req, res, { login: { accountId: person.sub, acr: person.acr, amr: person.amr, remember: true } });
    }
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    return provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } });
  };
}

handler = await build();
createServer(async (req, res) => {
  try {
    if (req.url === '/test/person') person = JSON.parse(await body(req));
    else if (req.url === '/test/deny') deny = JSON.parse(await body(req));
    else if (req.url === '/test/rotate') handler = await build();
    else return await handler(req, res);
    res.end('{}');
  } catch (error) {
    console.error(error);
    res.statusCode = 500;
    res.end();
  }
}).listen(wish.port, '127.0.0.1', () => console.log(JSON.stringify({ issuer })));
