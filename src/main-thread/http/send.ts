import type { FastifyReply } from 'fastify';

/**
 * Sends JSON that is ready as text. The serializer that leaves it alone also keeps Fastify from adding a charset
 * to the content type, which JSON does not have (RFC 8259, section 11).
 */
export function sendJson(
  reply: FastifyReply,
  status: number,
  text: string,
  contentType = 'application/json',
): FastifyReply {
  return reply
    .code(status)
    .header('content-type', contentType)
    .header('cache-control', 'no-store')
    .serializer(asIs)
    .send(text);
}

function asIs(payload: unknown): string {
  return payload as string;
}
