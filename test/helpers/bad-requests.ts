import fc from 'fast-check';
import { PARAMETER_NAMES } from '../../src/main-thread/http/parameters.ts';

/** A request as bytes, and what a client knows of it. */
export type WildRequest = { readonly method: string; readonly bytes: Uint8Array };

const ROUTES = [
  '/',
  '/healthz',
  '/readyz',
  '/metrics',
  '/openapi.json',
  '/docs',
  '/docs/static/',
  '/docs/json',
];
const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE'];
const OTHER_METHODS = ['OPTIONS', 'TRACE', 'PROPFIND', 'BREW', 'get', 'M-SEARCH', 'QUERY', ''];
const TYPES = [
  'application/json',
  'application/x-www-form-urlencoded',
  'application/json; charset=utf-8',
  'application/json;charset=utf-7',
  'text/plain',
  'multipart/form-data; boundary=x',
  'application/problem+json',
];
const NAMES = [...PARAMETER_NAMES, 'first-run', 'one-off', 'interval', 'first_run', 'one_off', 'immediate'];
const VALUES = [
  ...['60', '1', '0', '-1', '1.5', '4294967295', '4294967296', '1e3', 'PT1M', 'PT0S', 'P1D', 'true', 'false'],
  ...['2030-01-31T12:00:00Z', '2030-01-31T12:00:00%2B02:00', '1969-12-31T23:59:59Z', '9999-12-31T23:59:59Z'],
  ...[
    '0 9 * * 1-5',
    '* * 30 2 *',
    'Europe/Istanbul',
    'skip',
    'both',
    'all',
    'spread',
    'none',
    'base64',
    '%7B%7D',
  ],
  ...['2026-12-25', '2026-12-24/2026-12-31', '%7B%22CC%22:1%7D', 'amq.rabbitmq.reply-to', 'a,b'],
];

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
const anyBytes = (maxLength: number) => fc.uint8Array({ maxLength }).map(latin1);
/** Any Unicode, with what is not a character at all. */
const anyText = (maxLength: number) => fc.string({ unit: 'binary', maxLength });
/** Bytes that may stand in a request target as they are. */
const visible = (maxLength: number) =>
  fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
    maxLength,
  });

/** Percent-encoding of any bytes, and what looks like it. */
const encoded = fc.oneof(
  anyText(20).map((text) => encodeURIComponent(text)),
  fc
    .uint8Array({ maxLength: 20 })
    .map((bytes) => [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')),
  fc
    .array(fc.constantFrom('%', '%4', '%zz', '%2F', '%00', '%ff', '%', '.', '..', 'a', '+', '%2e'), {
      maxLength: 6,
    })
    .map((parts) => parts.join('')),
);
const segment = fc.oneof(
  { weight: 7, arbitrary: fc.constantFrom('k', 'a', 'z') },
  { weight: 4, arbitrary: encoded },
  { weight: 2, arbitrary: visible(20) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '',
      'k'.repeat(255),
      'k'.repeat(256),
      'j'.repeat(20_000),
      '%6a'.repeat(20_001),
    ),
  },
);
const pair = fc.oneof(
  { weight: 2, arbitrary: fc.constant('interval=60') },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...VALUES)).map((both) => both.join('=')),
  },
  { weight: 1, arbitrary: fc.tuple(encoded, encoded).map((both) => both.join('=')) },
  { weight: 1, arbitrary: visible(20) },
);
const pairs = fc.oneof(
  { weight: 2, arbitrary: fc.constant('interval=60') },
  { weight: 1, arbitrary: fc.array(pair, { maxLength: 4 }).map((all) => all.join('&')) },
);
const path = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(segment, segment).map(([key, job]) => `/jobs/${key}/${job}`) },
  { weight: 2, arbitrary: fc.constantFrom(...ROUTES) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...ROUTES), segment).map((both) => both.join('')) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('*', 'http://x/jobs/k/j', 'https://', '//', '/jobs', '', '?', '#'),
  },
  { weight: 1, arbitrary: fc.oneof(visible(40), anyBytes(40)) },
);
const target = fc
  .tuple(path, fc.option(pairs, { nil: undefined, freq: 1 }))
  .map(([before, query]) => (query === undefined ? before : `${before}?${query}`));

const json = fc.oneof(
  fc.json(),
  fc
    .dictionary(
      fc.oneof(fc.constantFrom(...NAMES, '__proto__', 'constructor', 'toString'), anyText(10)),
      fc.oneof(
        fc.constantFrom<unknown>(60, 0, -1, 1.5, 2 ** 53, '60', 'PT5M', true, false, null),
        fc.jsonValue(),
      ),
      { maxKeys: 4 },
    )
    .map((value) => JSON.stringify(value)),
  fc.integer({ min: 1, max: 1500 }).map((depth) => '['.repeat(depth)),
  fc.integer({ min: 1, max: 500 }).map((depth) => `{"interval":${'['.repeat(depth)}${']'.repeat(depth)}}`),
);
const body = fc.oneof(
  { weight: 7, arbitrary: fc.constant('') },
  { weight: 3, arbitrary: json.map((text) => Buffer.from(text).toString('latin1')) },
  { weight: 2, arbitrary: pairs },
  { weight: 2, arbitrary: anyBytes(60) },
  { weight: 1, arbitrary: fc.integer({ min: 4000, max: 9000 }).map((size) => '1'.repeat(size)) },
);

const headerName = fc.oneof(
  fc.constantFrom(
    ...[
      'If-None-Match',
      'If-Match',
      'Content-Encoding',
      'Expect',
      'Accept',
      'Range',
      'Upgrade',
      'Cookie',
      'Origin',
    ],
    ...[
      'Transfer-Encoding',
      'Content-Length',
      'Connection',
      'X-Forwarded-For',
      'Accept-Version',
      'Trailer',
      'Host',
    ],
    ...[
      '__proto__',
      'constructor',
      'Sec-WebSocket-Key',
      'HTTP2-Settings',
      'Keep-Alive',
      'TE',
      'If-Modified-Since',
    ],
  ),
  visible(12),
);
const headerValue = fc.oneof(
  fc.constantFrom(
    '*',
    '"x"',
    'gzip',
    'chunked',
    '100-continue',
    'identity',
    'websocket',
    'close',
    'keep-alive',
    '0',
    '5',
  ),
  visible(30),
  anyBytes(30),
);
const headers = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  { weight: 1, arbitrary: fc.array(fc.tuple(headerName, headerValue), { maxLength: 3 }) },
);

/** How the body's length is told: rightly, wrongly, in chunks, or not at all. */
const framing = fc.oneof(
  { weight: 6, arbitrary: fc.constant('right' as const) },
  { weight: 2, arbitrary: fc.constant('chunked' as const) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('none' as const, 'short' as const, 'long' as const, 'broken' as const),
  },
);

/** A request to any route that may have anything in any place, and that is right in most places. */
export const wildRequest: fc.Arbitrary<WildRequest> = fc
  .record({
    method: fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(...METHODS, 'PUT', 'PUT') },
      { weight: 1, arbitrary: fc.constantFrom(...OTHER_METHODS) },
    ),
    target,
    headers,
    type: fc.option(fc.oneof(fc.constantFrom(...TYPES), visible(20)), { nil: undefined }),
    body,
    framing,
  })
  .map(({ method, target: where, headers: more, type, body: content, framing: how }) => {
    const lines = [`${method} ${where} HTTP/1.1`, 'Host: x'];
    if (type !== undefined) lines.push(`Content-Type: ${type}`);
    for (const [name, value] of more) lines.push(`${name}: ${value}`);
    let sent = content;
    if (how === 'chunked' || how === 'broken') {
      lines.push('Transfer-Encoding: chunked');
      const chunk = content === '' ? '' : `${content.length.toString(16)}\r\n${content}\r\n`;
      sent = how === 'chunked' ? `${chunk}0\r\n\r\n` : `${chunk}zz\r\n`;
    } else if (how !== 'none' && (content !== '' || how !== 'right')) {
      lines.push(`Content-Length: ${content.length + { right: 0, short: -1, long: 5 }[how]}`);
    }
    return { method, bytes: Buffer.from(`${lines.join('\r\n')}\r\n\r\n${sent}`, 'latin1') };
  });

/** A request that is right, and answered with 2xx, or 404 when its job is not there. */
export const tameRequest: fc.Arbitrary<WildRequest> = fc
  .tuple(fc.constantFrom(...METHODS), fc.constantFrom('a', 'b', 'c'))
  .map(([method, job]) => ({
    method,
    bytes: Buffer.from(
      `${method} /jobs/k/${job}${method === 'PUT' ? '?interval=60' : ''} HTTP/1.1\r\nHost: x\r\n\r\n`,
    ),
  }));

/** Bytes that were a request before some of them were changed, doubled, or lost. */
export const damagedRequest: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    fc.oneof(tameRequest, wildRequest),
    fc.array(
      fc.tuple(
        fc.nat(),
        fc.constantFrom('change', 'insert', 'remove', 'cut'),
        fc.uint8Array({ maxLength: 4 }),
      ),
      {
        minLength: 1,
        maxLength: 4,
      },
    ),
  )
  .map(([{ bytes }, faults]) => {
    let damaged = Buffer.from(bytes);
    for (const [where, fault, with_] of faults) {
      const at = where % (damaged.length + 1);
      const keep = { change: at + with_.length, insert: at, remove: at + 1, cut: damaged.length }[fault]!;
      damaged = Buffer.concat([
        damaged.subarray(0, at),
        fault === 'remove' ? Buffer.of() : with_,
        damaged.subarray(keep),
      ]);
    }
    return damaged;
  });
