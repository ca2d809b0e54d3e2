// Names under .localhost are this host; the C library does not know.

import { request } from 'node:http';

export function here(address, options = {}) {
  const url = new URL(address);
  return new Promise((done, failed) => {
    const headers = { ...Object.fromEntries(new Headers(options.headers)), host: url.host };
    const to = { host: '127.0.0.1', port: url.port, path: url.pathname + url.search, method: options.method ?? 'GET', headers };
    const sent = request(to, (res) => {
      const parts = [];
      res.on('data', (part) => parts.push(part));
      res.on('end', () => done(new Response(Buffer.concat(parts).toString() || null, { status: res.statusCode, headers: res.headers })));
    });
    sent.on('error', failed);
    sent.end(options.body ? String(options.body) : undefined);
  });
}

export function body(req) {
  return new Promise((done) => {
    const parts = [];
    req.on('data', (part) => parts.push(part));
    req.on('end', () => done(Buffer.concat(parts).toString()));
  });
}
