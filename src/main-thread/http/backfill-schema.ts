const exactTime = {
  type: 'string',
  format: 'date-time',
  description: 'RFC 3339, UTC, with ms where there are some',
};

/** The schema that the document names, under components. */
export const backfillSchema = {
  $id: 'Backfill',
  type: 'object',
  description: 'A backfill or run by hand that is open',
  required: ['id', 'kind', 'job', 'routing_key', 'from', 'to', 'position', 'published', 'created'],
  properties: {
    id: { type: 'string', description: 'Decimal digits, never used again' },
    kind: { type: 'string', enum: ['run', 'backfill'] },
    job: { type: 'string' },
    routing_key: { type: 'string' },
    from: { type: ['string', 'null'], format: 'date-time', description: 'Null for a run' },
    to: { type: ['string', 'null'], format: 'date-time', description: 'Null for a run' },
    position: {
      ...exactTime,
      description: 'The next time to be published: all before it are. Of a run the time that it carries',
    },
    published: { type: 'integer', minimum: 0, description: 'Messages so far' },
    created: { ...exactTime, description: 'When it was asked for' },
  },
  examples: [
    {
      ...{ id: '7', kind: 'backfill', job: '1234', routing_key: 'check_feed' },
      ...{ from: '2014-11-11T00:00:00Z', to: '2014-11-12T00:00:00Z', position: '2014-11-11T07:30:00Z' },
      ...{ published: 90, created: '2014-11-12T09:00:00.123Z' },
    },
  ],
};
