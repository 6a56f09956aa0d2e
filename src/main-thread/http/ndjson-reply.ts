import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

export const NDJSON = 'application/x-ndjson';

/** Takes the response from Fastify, which would wait for all of it. */
export function beginNdjson(reply: FastifyReply): ServerResponse {
  reply.hijack();
  reply.raw.writeHead(200, { 'content-type': NDJSON, 'cache-control': 'no-store' });
  return reply.raw;
}
