import { fastify } from 'fastify';
import { answerParent } from '../child.ts';

/**
 * The bare Fastify route, in a process of its own: what HTTP alone costs. It takes the requests that Dalga takes
 * under the same paths, reads no parameter, and answers `{"ok":true}` by a compiled serialiser.
 */
const app = fastify({ logger: false });
const schema = { response: { 200: { type: 'object', properties: { ok: { type: 'boolean' } } } } };
const ok = { ok: true };

app.route({
  method: ['GET', 'PUT'],
  url: '/jobs/:routing_key/:job',
  schema,
  // By `send`, and no promise: the quickest way through Fastify.
  handler: (_request, reply) => {
    reply.send(ok);
  },
});

/** Its URL. */
answerParent<'listen', string>(() => app.listen({ host: '127.0.0.1', port: 0 }));
