import fastifySwagger from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { documentSchema } from './schemas.ts';
import { sendJson } from './send.ts';
import { sharedSchemas } from './shared-schemas.ts';

/** Collects the schemas of the routes that are added after it. */
export async function collectSchemas(app: FastifyInstance, version: string): Promise<void> {
  for (const schema of sharedSchemas) app.addSchema(schema);
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Dalga',
        version,
        description:
          'A job scheduler: jobs are kept in MySQL, and at its time each is published to RabbitMQ. A job is identified by its routing key and its own text, compared byte for byte.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      tags: [
        { name: 'jobs', description: 'What is scheduled' },
        { name: 'service', description: 'The service itself' },
      ],
    },
    refResolver: {
      buildLocalReference: (schema, _baseUri, _fragment, index) =>
        typeof schema.$id === 'string' ? schema.$id : `schema-${index}`,
    },
    transformObject: (document) => {
      if (!('openapiObject' in document)) return document.swaggerObject;
      // The plugin takes every body for a required one.
      for (const path of Object.values(document.openapiObject.paths ?? {})) {
        for (const operation of [path?.put, path?.post]) {
          if (operation?.requestBody !== undefined && 'required' in operation.requestBody) {
            operation.requestBody.required = false;
          }
        }
      }
      return document.openapiObject;
    },
  });
}

/** The document at /openapi.json, and a page to browse it at /docs, where `/` leads to. */
export async function serveDocument(app: FastifyInstance): Promise<void> {
  let text: string | undefined;
  app.get('/openapi.json', { schema: documentSchema }, async (_request, reply) => {
    text ??= JSON.stringify(app.swagger());
    return sendJson(reply, 200, text);
  });
  // Relative, so that it leads there behind a proxy that serves all this below a path of its own too.
  app.get('/', { schema: { hide: true } }, async (_request, reply) => reply.redirect('./docs', 302));
  await app.register(fastifySwaggerUi, {
    routePrefix: '/docs',
    theme: { title: 'Dalga' },
    staticCSP: {
      'default-src': "'self'",
      'style-src': ["'self'", "'unsafe-inline'"],
      'img-src': ["'self'", 'data:'],
    },
  });
}
