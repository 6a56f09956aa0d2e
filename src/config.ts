import { readFileSync } from 'node:fs';
import { readEnvironment, unknownVariables } from './config/environment.ts';
import { type Action, parseFlags } from './config/flags.ts';
import { resolveSecrets } from './config/secret-files.ts';
import { fileForm, flagOf, type Values } from './config/settings.ts';
import { nameOf, validate } from './config/validate.ts';

/** The whole configuration: frozen plain data, so that it can be a worker's workerData. */
export type Config = {
  readonly http: HttpLimits & {
    readonly host: string;
    readonly port: number;
  };
  readonly mysql: MysqlConfig;
  readonly rabbitmq: RabbitmqConfig;
  /** Create or upgrade the tables when the server starts. */
  readonly createTableAtStart: boolean;
  readonly debug: boolean;
  /** How long the owner of the table may be silent before a standby takes over, ms. */
  readonly lease: number;
  /** What an owner that saw no standby does past its lease while MySQL is away. */
  readonly withoutLease: 'publish' | 'stop';
  /** How often a checkpoint is written while occurrences settle, ms. */
  readonly checkpointInterval: number;
  /** How long a clean stop may take, ms. */
  readonly stopTimeout: number;
  /** An occurrence older than this when its turn comes was missed, ms. */
  readonly misfireAfter: number;
  /** The most missed runs of one job that `misfire=all` makes up for. */
  readonly misfireBacklog: number;
  /** Catch-up runs a second; 0 for no limit. */
  readonly catchupRate: number;
  /** Messages a second of all backfills together. */
  readonly backfillRate: number;
  /** Publisher threads; 0 lets the number of cores decide. */
  readonly publisherThreads: number;
  /** Bytes that jobs may take in memory; 0 for 70 % of the cgroup's or the machine's memory. */
  readonly memoryLimit: number;
};

/** What clients may ask of the HTTP server. */
export type HttpLimits = {
  /** Bytes. */
  readonly bodyLimit: number;
  /** Bytes of request line and headers together. */
  readonly headerLimit: number;
  /** How long a request may take to arrive, ms. */
  readonly requestTimeout: number;
  /** How long an idle connection is kept, ms. */
  readonly keepAliveTimeout: number;
  readonly maxConnections: number;
};

export type MysqlConfig = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly table: string;
};

export type RabbitmqConfig = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly vhost: string;
  readonly exchange: string;
  /** Where messages go that no queue takes; absent: nowhere. */
  readonly unroutable?: Unroutable;
};

/** Another exchange, with the message's own routing key, or a queue. */
export type Unroutable = { readonly kind: 'exchange' | 'queue'; readonly name: string };

/** Everything that is wrong with the settings, at once. Never holds the value of a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly exitCode = 2;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];

  constructor(errors: readonly string[], warnings: readonly string[] = []) {
    super(errors.join('\n'));
    this.errors = errors;
    this.warnings = warnings;
  }
}

export type ConfigSources = {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The command line behind the program's name. */
  readonly args: readonly string[];
  /** Reads a file as UTF-8. */
  readonly readFile?: (path: string) => string;
};

export type LoadedConfig = {
  readonly action: Action;
  /** The value of the action's own flag. */
  readonly argument?: string;
  readonly config: Config;
  readonly warnings: readonly string[];
};

/**
 * Reads the flags and the environment; a flag wins over its variable. For `-h` and `-version`, which shall work
 * whatever else is wrong, the configuration is that of the defaults. Throws a ConfigError.
 */
export function loadConfig({ env, args, readFile = readText }: ConfigSources): LoadedConfig {
  const flags = parseFlags(args);
  if (flags.action === 'help' || flags.action === 'version') return { action: flags.action, ...defaults() };

  const fromFlags = resolveSecrets({
    values: flags.values,
    nameOf: (variable) => `-${flagOf(variable)}`,
    readFile,
    decidedElsewhere: () => false,
  });
  const fromEnvironment = resolveSecrets({
    values: readEnvironment(env),
    nameOf,
    readFile,
    decidedElsewhere: (name) => flags.values.has(name) || flags.values.has(fileForm(name)),
  });
  const values = validate(new Map([...fromEnvironment.values, ...fromFlags.values]));
  const errors = [...flags.errors, ...fromFlags.errors, ...fromEnvironment.errors];
  const warnings = unknownVariables(env);
  if ('errors' in values) throw new ConfigError([...errors, ...values.errors], warnings);
  errors.push(...contradictions(values));
  if (errors.length > 0) throw new ConfigError(errors, warnings);
  const { action, argument } = flags;
  return {
    action,
    ...(argument === undefined ? {} : { argument }),
    config: toConfig(values),
    warnings,
  };
}

function defaults(): { config: Config; warnings: readonly string[] } {
  const values = validate(new Map());
  if ('errors' in values) throw new ConfigError(values.errors);
  return { config: toConfig(values), warnings: [] };
}

function toConfig(values: Values): Config {
  return Object.freeze({
    http: Object.freeze({
      host: values.DALGA_HTTP_HOST,
      port: values.DALGA_HTTP_PORT,
      bodyLimit: values.DALGA_HTTP_BODY_LIMIT,
      headerLimit: values.DALGA_HTTP_HEADER_LIMIT,
      requestTimeout: values.DALGA_HTTP_REQUEST_TIMEOUT,
      keepAliveTimeout: values.DALGA_HTTP_KEEP_ALIVE_TIMEOUT,
      maxConnections: values.DALGA_HTTP_MAX_CONNECTIONS,
    }),
    mysql: Object.freeze({
      host: values.DALGA_MYSQL_HOST,
      port: values.DALGA_MYSQL_PORT,
      user: values.DALGA_MYSQL_USER,
      password: values.DALGA_MYSQL_PASSWORD,
      database: values.DALGA_MYSQL_DB,
      table: values.DALGA_MYSQL_TABLE,
    }),
    rabbitmq: Object.freeze({
      host: values.DALGA_RABBITMQ_HOST,
      port: values.DALGA_RABBITMQ_PORT,
      user: values.DALGA_RABBITMQ_USER,
      password: values.DALGA_RABBITMQ_PASSWORD,
      vhost: values.DALGA_RABBITMQ_VHOST,
      exchange: values.DALGA_RABBITMQ_EXCHANGE,
      ...unroutableOf(values),
    }),
    createTableAtStart: values.DALGA_CREATE_TABLE_AT_START,
    debug: values.DALGA_DEBUG,
    lease: values.DALGA_LEASE,
    withoutLease: values.DALGA_WITHOUT_LEASE,
    checkpointInterval: values.DALGA_CHECKPOINT_INTERVAL,
    stopTimeout: values.DALGA_STOP_TIMEOUT,
    misfireAfter: values.DALGA_MISFIRE_AFTER,
    misfireBacklog: values.DALGA_MISFIRE_BACKLOG,
    catchupRate: values.DALGA_CATCHUP_RATE,
    backfillRate: values.DALGA_BACKFILL_RATE,
    publisherThreads: values.DALGA_PUBLISHER_THREADS,
    memoryLimit: values.DALGA_MEMORY_LIMIT,
  });
}

function unroutableOf(values: Values): Pick<RabbitmqConfig, 'unroutable'> {
  const { DALGA_UNROUTABLE_EXCHANGE: exchange, DALGA_UNROUTABLE_QUEUE: queue } = values;
  if (exchange !== '') return { unroutable: Object.freeze({ kind: 'exchange', name: exchange }) };
  if (queue !== '') return { unroutable: Object.freeze({ kind: 'queue', name: queue }) };
  return {};
}

/** What is wrong with settings that are right each by itself. */
function contradictions(values: Values): string[] {
  const { DALGA_UNROUTABLE_EXCHANGE: exchange, DALGA_UNROUTABLE_QUEUE: queue } = values;
  const name = nameOf('DALGA_UNROUTABLE_EXCHANGE');
  if (exchange !== '' && queue !== '') {
    return [`${name} and ${nameOf('DALGA_UNROUTABLE_QUEUE')} exclude each other: set one of them`];
  }
  if (exchange !== '' && exchange === values.DALGA_RABBITMQ_EXCHANGE) {
    return [`${name} must be another exchange than ${nameOf('DALGA_RABBITMQ_EXCHANGE')}`];
  }
  return [];
}

/** The configuration as it may be logged. */
export function redact(config: Config): Config {
  return {
    ...config,
    mysql: { ...config.mysql, password: '***' },
    rabbitmq: { ...config.rabbitmq, password: '***' },
  };
}

function readText(path: string): string {
  return readFileSync(path, 'utf8');
}
