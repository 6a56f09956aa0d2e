import { type Quantity, quantityRule } from './quantity.ts';

/**
 * The table of settings. Everything is derived from it: what the environment may hold, the flags, the text of `-h`,
 * the README's table. A flag's name is that of its variable: `DALGA_MYSQL_HOST` is `-mysql-host`.
 */
export type Setting = {
  /** As it would be written in the environment. */
  readonly default: string;
  /** One sentence for the person who sets it; no full stop. */
  readonly description: string;
  /** Never shown; has a `_FILE` form, which names a file that holds the value. */
  readonly secret?: true;
} & (
  | {
      readonly type: 'text';
      /** A regular expression for the whole value; the rule says the same in words, to follow "must be". */
      readonly pattern: string;
      readonly rule: string;
      /** UTF-8 bytes: AMQP's short strings count so. */
      readonly maxBytes?: number;
    }
  | { readonly type: 'boolean' }
  | { readonly type: 'choice'; readonly choices: readonly string[] }
  | { readonly type: 'quantity'; readonly quantity: Quantity }
);

const host = { type: 'text', pattern: '^[^\\s/]+$', rule: 'a host name or an IP address' } as const;
const anything = { type: 'text', pattern: '^[^\\0]*$', rule: 'text without NUL bytes' } as const;
const serverPort = { type: 'quantity', quantity: { unit: 'count', minimum: '1', maximum: '65535' } } as const;

export const settings = {
  DALGA_HTTP_HOST: { ...host, default: '127.0.0.1', description: 'Address on which the HTTP API listens' },
  DALGA_HTTP_PORT: {
    type: 'quantity',
    quantity: { unit: 'count', minimum: '0', maximum: '65535' },
    default: '34006',
    description: 'Port of the HTTP API; 0 lets the system choose one',
  },
  DALGA_HTTP_BODY_LIMIT: {
    type: 'quantity',
    quantity: { unit: 'size', minimum: '1K', maximum: '64M' },
    // A payload may have 1 MiB, and three times that when a form percent-encodes each byte.
    default: '4M',
    description: 'Largest request body, in bytes or with K, M, G; a larger one is answered with 413',
  },
  DALGA_HTTP_HEADER_LIMIT: {
    // A job of 20,000 bytes is up to 60,000 characters of path.
    type: 'quantity',
    quantity: { unit: 'size', minimum: '16K', maximum: '1M' },
    default: '128K',
    description: 'Largest request line and headers together; larger ones are answered with 431',
  },
  DALGA_HTTP_REQUEST_TIMEOUT: {
    type: 'quantity',
    quantity: { unit: 'time', minimum: '1s', maximum: '1h' },
    default: '60s',
    description:
      'How long a request may take to arrive, and its headers a quarter of that; a slower one is answered with 408',
  },
  DALGA_HTTP_KEEP_ALIVE_TIMEOUT: {
    // Longer than load balancers keep idle connections (60 s is common), so that those end them.
    type: 'quantity',
    quantity: { unit: 'time', minimum: '1s', maximum: '1h' },
    default: '75s',
    description: 'How long an idle connection is kept; longer than a load balancer in front keeps it',
  },
  DALGA_HTTP_MAX_CONNECTIONS: {
    type: 'quantity',
    quantity: { unit: 'count', minimum: '1', maximum: '1000000' },
    default: '5000',
    description: 'HTTP connections at a time; further ones are closed at once, and a warning is logged',
  },
  DALGA_MYSQL_HOST: { ...host, default: 'localhost', description: 'Host of the MySQL or MariaDB server' },
  DALGA_MYSQL_PORT: { ...serverPort, default: '3306', description: 'Port of the MySQL server' },
  DALGA_MYSQL_USER: {
    type: 'text',
    pattern: '^[^\\0]{1,80}$',
    rule: 'a name of 1 to 80 characters',
    default: 'root',
    description: 'User name for MySQL',
  },
  DALGA_MYSQL_PASSWORD: { ...anything, secret: true, default: '', description: 'Password for MySQL' },
  DALGA_MYSQL_DB: {
    ...{
      type: 'text',
      pattern: '^[^\\0/\\\\.]{1,64}$',
      rule: 'a name of 1 to 64 characters without / \\ and .',
    },
    default: 'test',
    description: 'Database that holds the tables; it must exist',
  },
  DALGA_MYSQL_TABLE: {
    // The names of the other tables are made from this one by adding to it, and MySQL's limit is 64.
    type: 'text',
    pattern: '^[A-Za-z0-9_$]{1,50}$',
    rule: '1 to 50 of the characters A-Z a-z 0-9 _ $',
    default: 'dalga',
    description: 'Table of the jobs; the names of the other tables begin with it',
  },
  DALGA_RABBITMQ_HOST: { ...host, default: 'localhost', description: 'Host of the RabbitMQ server' },
  DALGA_RABBITMQ_PORT: { ...serverPort, default: '5672', description: 'AMQP port of the RabbitMQ server' },
  DALGA_RABBITMQ_USER: {
    type: 'text',
    pattern: '^[^\\0]+$',
    rule: 'a name that is not empty',
    default: 'guest',
    description: 'User name for RabbitMQ; RabbitMQ lets guest in from its own machine only',
  },
  DALGA_RABBITMQ_PASSWORD: {
    ...anything,
    secret: true,
    default: 'guest',
    description: 'Password for RabbitMQ',
  },
  DALGA_RABBITMQ_VHOST: {
    type: 'text',
    pattern: '^[^\\0]+$',
    rule: 'a name of 1 to 255 bytes',
    maxBytes: 255,
    default: '/',
    description: 'Virtual host of RabbitMQ',
  },
  DALGA_RABBITMQ_EXCHANGE: {
    type: 'text',
    pattern: '^[^\\0]*$',
    rule: 'a name of at most 255 bytes',
    maxBytes: 255,
    default: '',
    description:
      "Exchange to publish to; empty for the default exchange, where the routing key is the queue's name",
  },
  DALGA_UNROUTABLE_EXCHANGE: {
    type: 'text',
    pattern: '^[^\\0]*$',
    rule: 'a name of at most 255 bytes',
    maxBytes: 255,
    default: '',
    description:
      'Exchange that gets messages which no queue takes; empty for none: they are logged and counted',
  },
  DALGA_UNROUTABLE_QUEUE: {
    type: 'text',
    pattern: '^[^\\0]*$',
    rule: 'a name of at most 255 bytes',
    maxBytes: 255,
    default: '',
    description: 'Queue that gets them instead; only one of the two can be set',
  },
  DALGA_CREATE_TABLE_AT_START: {
    type: 'boolean',
    default: 'false',
    description: 'Create or upgrade the tables before the server starts',
  },
  DALGA_DEBUG: { type: 'boolean', default: 'false', description: 'Log at level debug' },
  DALGA_LEASE: {
    type: 'quantity',
    quantity: { unit: 'time', minimum: '1s', maximum: '10m' },
    default: '5s',
    description: 'How long the owner of the table may be silent before a standby takes over',
  },
  DALGA_WITHOUT_LEASE: {
    type: 'choice',
    choices: ['publish', 'stop'],
    default: 'publish',
    description: 'What an owner that saw no standby does past its lease while MySQL is away: publish or stop',
  },
  DALGA_CHECKPOINT_INTERVAL: {
    // What a crash repeats is as a rule at most one interval of traffic, and 250 ms is the promise.
    type: 'quantity',
    quantity: { unit: 'time', minimum: '10ms', maximum: '250ms' },
    default: '250ms',
    description:
      'How often progress is written to MySQL; a crash repeats as a rule at most this much traffic',
  },
  DALGA_STOP_TIMEOUT: {
    type: 'quantity',
    quantity: { unit: 'time', minimum: '100ms', maximum: '1h' },
    // Docker kills 10 s after it asks for a stop.
    default: '8s',
    description: 'How long a clean stop may take; when it runs out the exit code is 3',
  },
  DALGA_MISFIRE_AFTER: {
    type: 'quantity',
    quantity: { unit: 'time', minimum: '1s', maximum: '720h' },
    default: '60s',
    description:
      "How late a run may be, or its job's interval if that is shorter, before it counts as missed",
  },
  DALGA_MISFIRE_BACKLOG: {
    type: 'quantity',
    quantity: { unit: 'count', minimum: '1', maximum: '10000' },
    default: '1000',
    description: 'The most missed runs of one job that misfire=all makes up for; older ones are dropped',
  },
  DALGA_CATCHUP_RATE: {
    type: 'quantity',
    quantity: { unit: 'count', minimum: '1', maximum: '1000000', zero: true },
    default: '0',
    description:
      'Catch-up runs a second after an outage or a stop, behind what is due now; 0 for as many as there are',
  },
  DALGA_BACKFILL_RATE: {
    type: 'quantity',
    quantity: { unit: 'count', minimum: '1', maximum: '100000' },
    default: '100',
    description: 'Messages a second that all backfills together publish, beside what is due',
  },
  DALGA_PUBLISHER_THREADS: {
    type: 'quantity',
    quantity: { unit: 'count', minimum: '0', maximum: '64' },
    default: '0',
    description: 'Threads that publish, each with its own AMQP connection; 0 goes by the number of cores',
  },
  DALGA_MEMORY_LIMIT: {
    type: 'quantity',
    quantity: { unit: 'size', minimum: '16M', maximum: '1024G', zero: true },
    default: '0',
    description: "Memory for jobs, in bytes or with K, M, G; 0 for 70 % of the container's or the machine's",
  },
} as const satisfies Readonly<Record<`DALGA_${string}`, Setting>>;

export type SettingName = keyof typeof settings;

type Value<T extends { readonly type: Setting['type'] }> = T extends {
  readonly choices: readonly (infer C)[];
}
  ? C
  : { text: string; boolean: boolean; choice: string; quantity: number }[T['type']];

/** The values as validated: times in ms, sizes in bytes. */
export type Values = { readonly [K in SettingName]: Value<(typeof settings)[K]> };

export const settingNames = Object.keys(settings) as SettingName[];

/** `DALGA_MYSQL_HOST` is `mysql-host`. */
export function flagOf(variable: string): string {
  return variable.slice('DALGA_'.length).toLowerCase().replaceAll('_', '-');
}

/** The variable (and flag) that names a file with the secret. */
export function fileForm(name: SettingName): `${SettingName}_FILE` {
  return `${name}_FILE`;
}

/** What a value must be, in words, to follow "must be". */
export function ruleOf(setting: Setting): string {
  switch (setting.type) {
    case 'text':
      return setting.rule;
    case 'boolean':
      return 'true or false';
    case 'choice':
      return setting.choices.join(' or ');
    case 'quantity':
      return quantityRule(setting.quantity);
  }
}
