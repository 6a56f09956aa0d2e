import type { FastifyInstance, FastifyRequest } from 'fastify';
import { DalgaError } from '../../errors.ts';
import { findDuplicateKey } from './json-keys.ts';
import { unsupportedMediaType } from './problem.ts';
import { forEachPair, shorten } from './request-target.ts';

/** A body with parameters, unparsed; an empty one counts as none, whatever its content type. */
export type Body = { readonly kind: 'json' | 'form'; readonly bytes: Buffer };

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Its parameters cannot stand in a query string or a form. */
    takesJsonAlone?: boolean;
  }
}

/** Replaces Fastify's body parsers: they refuse empty bodies, and keep one of two equal keys. */
export function addBodyParsers(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const add = (contentType: string, parse: (request: FastifyRequest, bytes: Buffer) => Body) => {
    app.addContentTypeParser(
      contentType,
      { parseAs: 'buffer' },
      async (request: FastifyRequest, body: Buffer) => (body.length === 0 ? undefined : parse(request, body)),
    );
  };
  for (const type of ['application/json', 'application/merge-patch+json']) {
    add(type, (request, bytes) => unencoded(request, { kind: 'json', bytes }));
  }
  add('application/x-www-form-urlencoded', (request, bytes) => {
    // What curl -d says of whatever it sends. No parameter's name begins so.
    const fault = 'the Content-Type is that of a form';
    if (looksLikeJson(bytes)) throw refuseType(request, `${fault}, ${JSON_HINT}`);
    if (request.routeOptions.config.takesJsonAlone) throw refuseType(request, fault);
    return unencoded(request, { kind: 'form', bytes });
  });
  add('*', (request, bytes) => {
    const type = request.headers['content-type'];
    const fault = type === undefined ? 'the body has no Content-Type' : 'the Content-Type is not supported';
    throw refuseType(request, looksLikeJson(bytes) ? `${fault}, ${JSON_HINT}` : fault);
  });
}

function refuseType({ method, routeOptions: { config, url } }: FastifyRequest, fault: string): DalgaError {
  if (!config.takesJsonAlone) return unsupportedMediaType(fault);
  return new DalgaError(
    'unsupported_media_type',
    `${fault}: ${method} ${url} takes a body of application/json alone`,
  );
}

const JSON_HINT = 'and the body looks like JSON (then send Content-Type: application/json)';

/** Whether the first byte that is no white space opens an object. */
function looksLikeJson(bytes: Buffer): boolean {
  return /^[ \t\r\n]*\{/.test(bytes.toString('latin1', 0, 1000));
}

/** Whether a request has a body, as its headers tell; Fastify does not read one of GET and HEAD. */
export function announcesBody({ headers }: FastifyRequest): boolean {
  return (headers['content-length'] ?? '0') !== '0' || headers['transfer-encoding'] !== undefined;
}

/** For GET, whose body nobody reads. @throws DalgaError */
export function refuseBody(request: FastifyRequest): void {
  if (announcesBody(request)) throw new DalgaError('malformed_request', 'GET takes no body');
}

/** Calls `visit` for each parameter of a body. @throws DalgaError */
export function forEachBodyParameter(body: Body, visit: (name: string, value: unknown) => void): void {
  if (body.kind === 'form') {
    // As Latin-1, one character a byte, like the query string in Node's URL.
    forEachPair(body.bytes.toString('latin1'), visit);
    return;
  }
  for (const [name, value] of Object.entries(parseObject(body.bytes, 'the body'))) visit(name, value);
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** @param what as which a refusal names it. @throws DalgaError */
export function parseObject(bytes: Buffer, what: string): object {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw new DalgaError('malformed_request', `${what} is not UTF-8`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DalgaError('malformed_request', `${what} is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new DalgaError('malformed_request', `${what} must be an object whose members are the parameters`);
  }
  const duplicate = findDuplicateKey(text, value);
  if (duplicate !== undefined) throw duplicateParameter(duplicate);
  return value;
}

export function duplicateParameter(name: string): DalgaError {
  const shown = shorten(name);
  return new DalgaError(
    'duplicate_parameter',
    `${shown} was given more than once: a parameter may stand only once, the query string and the body taken together`,
    { parameter: shown },
  );
}

function unencoded(request: FastifyRequest, body: Body): Body {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw unsupportedMediaType('a body with Content-Encoding is not supported');
  }
  return body;
}
