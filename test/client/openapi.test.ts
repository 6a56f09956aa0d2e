import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { DalgaClient } from '../../src/client/client.ts';
import { serve } from '../main-thread/http/harness.ts';
import { type Document, type Operation, shapeOfQuery, shapeOfSchema, shapesOfTypes } from './shapes.ts';

const folder = fileURLToPath(new URL('../../../src/client/', import.meta.url));
const types = new Map(
  shapesOfTypes(
    ['types/jobs.ts', 'types/insight.ts', 'types/runs.ts', 'errors.ts'].map((file) => folder + file),
  ),
);
// Each of them may stand in the query string instead.
types.set('BackfillBody', types.get('BackfillParameters')!.replaceAll(': string', '?: string'));

const JSON_TYPE = 'application/json';
const NDJSON = 'application/x-ndjson';

/** How the client makes a call, and the names of its types. What is not named the call has not. */
type Expected = {
  readonly call: (dalga: DalgaClient) => Promise<unknown>;
  readonly query?: string;
  readonly body?: Readonly<Record<string, string>>;
  /** By status and media type; null where there is no body. */
  readonly answers: Readonly<Record<string, Readonly<Record<string, string>> | null>>;
};

const name = { routingKey: 'k', job: 'j' };
const span = { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' };
const json = (type: string) => ({ [JSON_TYPE]: type });
/** What parameters may also be sent as: the client sends JSON. */
const orForm = (type: string) => ({ ...json(type), 'application/x-www-form-urlencoded': type });

const OPERATIONS: Readonly<Record<string, Expected>> = {
  'PUT /jobs/{routing_key}/{job}': {
    call: (dalga) => dalga.put(name, { interval: 60 }),
    ...{ query: 'PutParameters', body: orForm('PutParameters') },
    answers: { 200: json('Job'), 201: json('Job') },
  },
  'GET /jobs/{routing_key}/{job}': { call: (dalga) => dalga.get(name), answers: { 200: json('Job') } },
  'PATCH /jobs/{routing_key}/{job}': {
    call: (dalga) => dalga.change(name, { interval: 60 }),
    ...{ query: 'ChangeParameters', body: orForm('ChangeParameters') },
    answers: { 200: json('Job') },
  },
  'DELETE /jobs/{routing_key}/{job}': { call: (dalga) => dalga.delete(name), answers: { 204: null } },
  'GET /jobs': {
    call: (dalga) => dalga.list(),
    query: 'ListParameters',
    answers: { 200: { ...json('JobPage'), [NDJSON]: 'JobLine' } },
  },
  'PATCH /jobs': {
    call: (dalga) => dalga.changeMany({ tag: 'x' }, { enabled: false }),
    ...{ query: 'ManyParameters', body: orForm('ChangeParameters') },
    answers: { 200: json('ManyChanged') },
  },
  'DELETE /jobs': {
    call: (dalga) => dalga.deleteMany({ tag: 'x' }),
    query: 'ManyParameters',
    answers: { 200: json('ManyDeleted') },
  },
  'POST /jobs': {
    call: (dalga) => dalga.import([]),
    body: { [NDJSON]: 'JobLine' },
    answers: { 200: { [NDJSON]: 'ImportLine' } },
  },
  'GET /jobs/{routing_key}/{job}/next': {
    call: (dalga) => dalga.next(name),
    query: 'RunsParameters',
    answers: { 200: json('Runs') },
  },
  'POST /schedules/preview': {
    call: (dalga) => dalga.preview({ interval: 60 }),
    ...{ query: 'PreviewParameters', body: orForm('PreviewParameters') },
    answers: { 200: json('PreviewedRuns') },
  },
  'GET /jobs/{routing_key}/{job}/history': {
    call: (dalga) => dalga.history(name),
    answers: { 200: json('History') },
  },
  'GET /forecast': {
    call: (dalga) => dalga.forecast(),
    query: 'ForecastParameters',
    answers: { 200: json('Forecast') },
  },
  'GET /status': { call: (dalga) => dalga.status(), answers: { 200: json('Status') } },
  'POST /forecast': {
    call: (dalga) => dalga.forecastWith([]),
    body: json('ForecastWithParameters'),
    answers: { 200: json('ForecastWith') },
  },
  'POST /jobs/{routing_key}/{job}/run': {
    call: (dalga) => dalga.run(name),
    answers: { 202: json('Backfill') },
  },
  'POST /jobs/{routing_key}/{job}/backfill': {
    call: (dalga) => dalga.backfill(name, span),
    ...{ query: 'BackfillParameters', body: orForm('BackfillBody') },
    answers: { 202: json('Backfill') },
  },
  'GET /backfills': { call: (dalga) => dalga.backfills(), answers: { 200: json('Backfills') } },
  'GET /backfills/{id}': { call: (dalga) => dalga.getBackfill('7'), answers: { 200: json('Backfill') } },
  'DELETE /backfills/{id}': { call: (dalga) => dalga.stopBackfill('7'), answers: { 204: null } },
  'GET /events': {
    call: (dalga) => dalga.events().next(),
    query: 'EventFilters',
    answers: { 200: { 'text/event-stream': 'DalgaEvent' } },
  },
};

/** What the client has no method for: it is for orchestrators, for Prometheus, or says the same as another. */
const NO_METHOD = new Set([
  ...['GET /healthz', 'GET /readyz', 'GET /metrics', 'GET /openapi.json'],
  // The same as PATCH.
  'POST /jobs/{routing_key}/{job}',
]);

async function openapi(t: Test): Promise<{ document: Document; operations: ReadonlyMap<string, Operation> }> {
  const { ask } = await serve(t);
  const document = (await ask({ path: '/openapi.json' })).body as Document;
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  );
  return { document, operations: new Map(operations) };
}

t.test('every operation of the document has a method', async (t) => {
  const { operations } = await openapi(t);
  const known = [...Object.keys(OPERATIONS), ...NO_METHOD];
  t.same([...operations.keys()].sort(), known.sort());
});

t.test('each method makes its call', async (t) => {
  for (const [operation, { call }] of Object.entries(OPERATIONS)) {
    let made = '';
    const fetch = async (url: string | URL | Request, init?: RequestInit) => {
      made = `${init!.method} ${new URL(String(url)).pathname}`;
      return Promise.reject(new Error('it is not sent'));
    };
    await call(new DalgaClient({ url: 'http://dalga.example', fetch })).catch(() => {});
    t.equal(made, operation.replace('{routing_key}', 'k').replace('{job}', 'j').replace('{id}', '7'));
  }
});

t.test('each type is what the document says', async (t) => {
  const { document, operations } = await openapi(t);
  for (const [operation, { query, body = {}, answers }] of Object.entries(OPERATIONS)) {
    const told = operations.get(operation);
    if (told === undefined) {
      t.fail(`${operation} is not in the document`);
      continue;
    }
    t.equal(query === undefined ? '{}' : typed(query), shapeOfQuery(told, document), `${operation}: query`);
    const bodies = Object.entries(told.requestBody?.content ?? {}).map(([type, { schema }]) => [
      type,
      schema,
    ]);
    t.same(shaped(body), fromDocument(Object.fromEntries(bodies), document), `${operation}: body`);
    const successes = Object.entries(told.responses).filter(([status]) => status < '300');
    t.same(
      successes.map(([status]) => status),
      Object.keys(answers),
      `${operation}: statuses`,
    );
    for (const [status, { content = {} }] of successes) {
      const schemas = Object.entries(content).map(([type, { schema }]) => [type, schema]);
      t.same(
        shaped(answers[status] ?? {}),
        fromDocument(Object.fromEntries(schemas), document),
        `${operation}: ${status}`,
      );
    }
  }
});

t.test('the codes of refusals', async (t) => {
  const { document } = await openapi(t);
  const { Problem } = document.components.schemas;
  t.equal(types.get('Problem'), shapeOfSchema(Problem!, document));
});

function typed(name: string): string {
  return types.get(name) ?? `there is no type ${name}`;
}

function shaped(names: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(names).map(([media, name]) => [media, typed(name)]));
}

function fromDocument(schemas: Record<string, Parameters<typeof shapeOfSchema>[0]>, document: Document) {
  return Object.fromEntries(
    Object.entries(schemas).map(([media, schema]) => [media, shapeOfSchema(schema, document)]),
  );
}

t.test('a difference is found', async (t) => {
  const document = { paths: {}, components: { schemas: { A: { type: 'object', properties: {} } } } } as const;
  const shape = (schema: object) => shapeOfSchema(schema, document);
  t.equal(shape({ $ref: '#/components/schemas/A' }), '{}');
  t.equal(
    shape({
      type: 'object',
      required: ['b'],
      properties: {
        a: { type: ['string', 'null'] },
        b: { type: 'array', items: { anyOf: [{ type: 'integer' }, { type: 'boolean' }] } },
        c: { type: 'string', enum: ['x', 'y'] },
        d: { type: 'object' },
        e: { type: 'object', additionalProperties: { type: 'number' } },
      },
    }),
    '{ a?: null | string; b: (boolean | number)[]; c?: "x" | "y"; d?: { [name]: unknown }; e?: { [name]: number } }',
  );
  t.equal(
    types.get('Backfills')?.startsWith('{ backfills: ({ created: string; from: null | string; id: '),
    true,
  );
  t.match(
    types.get('PutParameters'),
    / first_run\?: string; .* payload\?: null \| string; .* tags\?: null \| string\[\]; /,
  );
});
