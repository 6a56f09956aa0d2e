import { STATUS_CODES } from 'node:http';
import type { FastifyReply } from 'fastify';
import { DalgaError, type ErrorCode } from '../../errors.ts';
import { lingerAfter } from './linger.ts';
import { sendJson } from './send.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** A refusal's body (RFC 9457): `type` is stable and names the code, `detail` the parameter and the rule. */
export function formatProblem(error: DalgaError): string {
  return JSON.stringify({
    type: problemType(error.code),
    title: error.title,
    status: error.status,
    detail: error.message,
    code: error.code,
    parameter: error.parameter,
  });
}

export function problemType(code: ErrorCode): string {
  return `urn:dalga:error:${code}`;
}

/** The headers of a refusal besides its content type. `allow`: the methods, for a 405. */
export function problemHeaders(error: DalgaError, allow?: string): Record<string, string> {
  return { ...(allow === undefined ? {} : { allow }), ...retryAfter(error.status) };
}

/** Every 503 says when to come again (RFC 9110, section 10.2.3): whatever is away is asked for again each second. */
export function retryAfter(status: number): Record<string, string> {
  return status === 503 ? { 'retry-after': '1' } : {};
}

export function sendProblem(reply: FastifyReply, error: DalgaError, allow?: string): FastifyReply {
  lingerAfter(reply.request.raw);
  return sendJson(
    reply.headers(problemHeaders(error, allow)),
    error.status,
    formatProblem(error),
    PROBLEM_TYPE,
  );
}

/** A refusal as bytes for the socket of a request that Node could not parse; it ends the connection. */
export function formatRawProblem(error: DalgaError, allow?: string): string {
  const body = formatProblem(error);
  const headers = {
    date: new Date().toUTCString(),
    'content-type': PROBLEM_TYPE,
    'content-length': String(Buffer.byteLength(body)),
    'cache-control': 'no-store',
    connection: 'close',
    ...problemHeaders(error, allow),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}\r\n${lines.join('')}\r\n${body}`;
}

/** An error that a request ended with, as one of the catalogue; null for one that nobody foresaw. */
export function toRefusal(error: unknown, bodyLimit: number): DalgaError | null {
  if (error instanceof DalgaError) return error.code === 'internal' ? null : error;
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new DalgaError('body_too_large', `the body is larger than the limit of ${bodyLimit} bytes`);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return unsupportedMediaType('the Content-Type cannot be read');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new DalgaError('malformed_request', "the body's length is not that of Content-Length");
    default:
      // What Fastify refuses, and what Node reports for a body that broke off.
      return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500
        ? new DalgaError('malformed_request', 'the request broke off, or cannot be read')
        : null;
  }
}

export function unsupportedMediaType(fault: string): DalgaError {
  return new DalgaError(
    'unsupported_media_type',
    `${fault}: parameters come in the query string, or in a body of application/json or application/x-www-form-urlencoded`,
  );
}

/** @throws DalgaError not_found */
export function noSuchJob(): never {
  throw new DalgaError('not_found', 'there is no such job');
}
