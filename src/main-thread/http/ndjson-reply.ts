import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

export const NDJSON = 'application/x-ndjson';

/** Takes the response from Fastify, which would wait for all of it. */
export function beginNdjson(reply: FastifyReply): ServerResponse {
  reply.hijack();
  reply.raw.writeHead(200, { 'content-type': NDJSON, 'cache-control': 'no-store' });
  return reply.raw;
}

/** Resolves when there is room for more, or nobody is there any more. It leaves no listener behind, however often it is asked. */
export function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      response.off('drain', end).off('close', end);
      resolve();
    };
    response.on('drain', end).on('close', end);
  });
}
