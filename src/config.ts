/** The whole configuration: frozen plain data, so that it can be a worker's workerData. */
export type Config = {
  readonly http: {
    readonly host: string;
    readonly port: number;
    /** Bytes. */
    readonly bodyLimit: number;
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
  /** Publisher threads; 0 lets the number of cores decide. */
  readonly publisherThreads: number;
  /** Bytes that jobs may take in memory; 0 for 70 % of the cgroup's or the machine's memory. */
  readonly memoryLimit: number;
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
};
