import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { DalgaError, invalidParameter } from '../../../errors.ts';
import type { EventSink } from '../../event-listener.ts';
import { EVENT_TYPES, type EventFilter, type EventType } from '../../event-types.ts';
import type { Listening } from '../../events.ts';
import { choose } from '../accept.ts';
import { refuseBody } from '../body.ts';
import { eventsSchema } from '../event-schema.ts';
import { filterTypes } from '../filters.ts';
import { choice, list } from '../parameter-types.ts';
import { readQuery } from '../query.ts';
import { splitTarget } from '../request-target.ts';

const PATH = '/events';
const EVENT_STREAM = 'text/event-stream';

/** A connection that takes nothing of what waits for so long is gone, ms. */
const SILENCE_LIMIT = 60_000;

const HEADERS = {
  'content-type': EVENT_STREAM,
  'cache-control': 'no-store',
  // nginx would gather what is to come at once.
  'x-accel-buffering': 'no',
  // The stream ends with its connection.
  connection: 'close',
};

const types = {
  type: list(',', EVENT_TYPES.length, choice(...EVENT_TYPES)),
  routing_key: filterTypes.routing_key,
} as const;

/** Where events are listened to. */
export type Events = {
  /** @throws DalgaError when this instance does not own the table, or too many listen */
  listen(filter: EventFilter, sink: EventSink): Listening;
  /** The same refusals, of a HEAD. */
  check(): void;
};

/** A stream of what happens to jobs, as server-sent events (HTML, section 9.2). Of Fastify only the routing is used. */
export function addEventRoutes(app: FastifyInstance, events: Events): void {
  app.get(PATH, { schema: eventsSchema, exposeHeadRoute: false }, async (request, reply) => {
    const filter = readFilter(request);
    const response = reply.raw;
    const listening = events.listen(filter, sinkOf(response));
    reply.hijack();
    const { socket } = request.raw;
    response.on('drain', () => listening.drained());
    response.once('close', () => listening.close());
    // The API answers those that have closed their half of the connection; there is no end to this answer.
    socket.once('end', () => response.destroy());
    socket.setTimeout(SILENCE_LIMIT, () => response.destroy());
    // It may have gone before this came to its turn.
    if (socket.destroyed) listening.close();
    response.writeHead(200, HEADERS);
    response.write(':\n\n');
  });

  app.head(PATH, { schema: { hide: true } }, async (request, reply) => {
    readFilter(request);
    events.check();
    return reply.headers(HEADERS).send();
  });
}

function readFilter(request: FastifyRequest): EventFilter {
  if (choose(request.headers.accept, EVENT_STREAM, EVENT_STREAM) === null) {
    throw new DalgaError('not_acceptable', `GET ${PATH} answers ${EVENT_STREAM}`);
  }
  refuseBody(request);
  const { query } = splitTarget(request.raw.url!);
  const { type = EVENT_TYPES, routing_key: routingKey = null } = readQuery(`GET ${PATH}`, query, types);
  if (type.length === 0)
    throw invalidParameter('type', `must be some of ${EVENT_TYPES.join(', ')}, with commas between`);
  return { types: new Set(type as readonly EventType[]), routingKey };
}

function sinkOf(response: ServerResponse): EventSink {
  return {
    get pending() {
      return response.writableLength;
    },
    write(text) {
      if (!response.destroyed) response.write(text);
    },
    end: () => response.end(),
  };
}
