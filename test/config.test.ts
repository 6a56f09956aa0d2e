import t from 'tap';
import { flagOf, settingNames } from '../src/config/settings.ts';
import { ConfigError, loadConfig, redact } from '../src/config.ts';

type Env = Record<string, string>;

function load(env: Env, args: string[] = [], files: Env = {}) {
  return loadConfig({
    env,
    args,
    readFile(path) {
      const content = files[path];
      if (content === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
      return content;
    },
  });
}

function errorsOf(env: Env, args: string[] = [], files: Env = {}): readonly string[] {
  try {
    load(env, args, files);
  } catch (error) {
    if (error instanceof ConfigError) return error.errors;
    throw error;
  }
  return [];
}

/** The value at a path such as `mysql.host`. */
function at(value: unknown, path: string): unknown {
  return path.split('.').reduce((inner, key) => (inner as Record<string, unknown>)[key], value);
}

t.test('without any setting the defaults hold', async (t) => {
  t.strictSame(load({}), {
    action: 'serve',
    config: {
      http: {
        host: '127.0.0.1',
        port: 34006,
        bodyLimit: 4 * 1024 * 1024,
        headerLimit: 128 * 1024,
        requestTimeout: 60_000,
        keepAliveTimeout: 75_000,
        maxConnections: 5000,
      },
      mysql: { host: 'localhost', port: 3306, user: 'root', password: '', database: 'test', table: 'dalga' },
      rabbitmq: {
        host: 'localhost',
        port: 5672,
        user: 'guest',
        password: 'guest',
        vhost: '/',
        exchange: '',
      },
      createTableAtStart: false,
      debug: false,
      lease: 5_000,
      withoutLease: 'publish',
      checkpointInterval: 250,
      stopTimeout: 8_000,
      misfireAfter: 60_000,
      misfireBacklog: 1000,
      catchupRate: 0,
      backfillRate: 100,
      publisherThreads: 0,
      memoryLimit: 0,
    },
    warnings: [],
  });
});

t.test('the configuration is frozen plain data', async (t) => {
  const { config } = load({});
  t.ok(Object.isFrozen(config) && Object.isFrozen(config.http));
  t.ok(Object.isFrozen(config.mysql) && Object.isFrozen(config.rabbitmq));
  t.strictSame(structuredClone(config), config);
});

const accepted: [variable: string, text: string, path: string, value: unknown][] = [
  ['DALGA_HTTP_HOST', '0.0.0.0', 'http.host', '0.0.0.0'],
  ['DALGA_HTTP_HOST', '::1', 'http.host', '::1'],
  ['DALGA_HTTP_PORT', '0', 'http.port', 0],
  ['DALGA_HTTP_PORT', '65535', 'http.port', 65535],
  ['DALGA_HTTP_BODY_LIMIT', '1024', 'http.bodyLimit', 1024],
  ['DALGA_HTTP_BODY_LIMIT', '2M', 'http.bodyLimit', 2 * 1024 ** 2],
  ['DALGA_HTTP_HEADER_LIMIT', '16K', 'http.headerLimit', 16 * 1024],
  ['DALGA_HTTP_REQUEST_TIMEOUT', '2m', 'http.requestTimeout', 120_000],
  ['DALGA_HTTP_KEEP_ALIVE_TIMEOUT', '1s', 'http.keepAliveTimeout', 1000],
  ['DALGA_HTTP_MAX_CONNECTIONS', '1', 'http.maxConnections', 1],
  ['DALGA_MYSQL_HOST', 'db.example.org', 'mysql.host', 'db.example.org'],
  ['DALGA_MYSQL_PORT', '3307', 'mysql.port', 3307],
  ['DALGA_MYSQL_USER', 'dalga', 'mysql.user', 'dalga'],
  ['DALGA_MYSQL_PASSWORD', ' $ecret=é ', 'mysql.password', ' $ecret=é '],
  ['DALGA_MYSQL_DB', 'my-db', 'mysql.database', 'my-db'],
  ['DALGA_MYSQL_TABLE', `A0_$${'x'.repeat(46)}`, 'mysql.table', `A0_$${'x'.repeat(46)}`],
  ['DALGA_RABBITMQ_HOST', '10.0.0.7', 'rabbitmq.host', '10.0.0.7'],
  ['DALGA_RABBITMQ_PORT', '5673', 'rabbitmq.port', 5673],
  ['DALGA_RABBITMQ_USER', 'dalga', 'rabbitmq.user', 'dalga'],
  ['DALGA_RABBITMQ_PASSWORD', 'pw', 'rabbitmq.password', 'pw'],
  ['DALGA_RABBITMQ_VHOST', 'jobs', 'rabbitmq.vhost', 'jobs'],
  ['DALGA_RABBITMQ_EXCHANGE', 'é'.repeat(127), 'rabbitmq.exchange', 'é'.repeat(127)],
  ['DALGA_UNROUTABLE_EXCHANGE', 'lost', 'rabbitmq.unroutable.name', 'lost'],
  ['DALGA_UNROUTABLE_QUEUE', 'lost', 'rabbitmq.unroutable.kind', 'queue'],
  ['DALGA_CREATE_TABLE_AT_START', 'true', 'createTableAtStart', true],
  ['DALGA_DEBUG', 'true', 'debug', true],
  ['DALGA_DEBUG', 'false', 'debug', false],
  ['DALGA_LEASE', '1s', 'lease', 1_000],
  ['DALGA_LEASE', '10m', 'lease', 600_000],
  ['DALGA_WITHOUT_LEASE', 'stop', 'withoutLease', 'stop'],
  ['DALGA_CHECKPOINT_INTERVAL', '10ms', 'checkpointInterval', 10],
  ['DALGA_STOP_TIMEOUT', '1m', 'stopTimeout', 60_000],
  ['DALGA_MISFIRE_AFTER', '2h', 'misfireAfter', 7_200_000],
  ['DALGA_MISFIRE_BACKLOG', '50', 'misfireBacklog', 50],
  ['DALGA_CATCHUP_RATE', '0', 'catchupRate', 0],
  ['DALGA_CATCHUP_RATE', '500', 'catchupRate', 500],
  ['DALGA_BACKFILL_RATE', '5', 'backfillRate', 5],
  ['DALGA_PUBLISHER_THREADS', '2', 'publisherThreads', 2],
  ['DALGA_MEMORY_LIMIT', '0', 'memoryLimit', 0],
  ['DALGA_MEMORY_LIMIT', '512M', 'memoryLimit', 512 * 1024 ** 2],
  ['DALGA_MEMORY_LIMIT', '3G', 'memoryLimit', 3 * 1024 ** 3],
];

t.test('what each setting accepts, from the environment and as a flag', async (t) => {
  for (const [variable, text, path, value] of accepted) {
    const name = text.length > 30 ? `${text.slice(0, 30)}...` : text;
    t.equal(at(load({ [variable]: text }).config, path), value, `${variable}=${name}`);
    const flag = `-${flagOf(variable)}=${text}`;
    t.equal(at(load({}, [flag]).config, path), value, `-${flagOf(variable)}=${name}`);
  }
  const covered = new Set(accepted.map(([variable]) => variable));
  t.strictSame(
    settingNames.filter((name) => !covered.has(name)),
    [],
    'no setting is left out',
  );
});

const refused: [variable: string, text: string][] = [
  ['DALGA_HTTP_HOST', 'http://localhost'],
  ['DALGA_HTTP_HOST', 'a b'],
  ['DALGA_HTTP_PORT', '65536'],
  ['DALGA_HTTP_PORT', '-1'],
  ['DALGA_HTTP_PORT', '1.5'],
  ['DALGA_HTTP_PORT', '0x10'],
  ['DALGA_HTTP_PORT', '1e3'],
  ['DALGA_HTTP_PORT', ' 80'],
  ['DALGA_HTTP_PORT', 'abc'],
  ['DALGA_HTTP_BODY_LIMIT', '1023'],
  ['DALGA_HTTP_BODY_LIMIT', '65M'],
  ['DALGA_HTTP_BODY_LIMIT', '1m'],
  ['DALGA_HTTP_HEADER_LIMIT', '15K'],
  ['DALGA_HTTP_HEADER_LIMIT', '2M'],
  ['DALGA_HTTP_REQUEST_TIMEOUT', '60'],
  ['DALGA_HTTP_REQUEST_TIMEOUT', '0s'],
  ['DALGA_HTTP_KEEP_ALIVE_TIMEOUT', '999ms'],
  ['DALGA_HTTP_MAX_CONNECTIONS', '0'],
  ['DALGA_MYSQL_PORT', '0'],
  ['DALGA_MYSQL_USER', 'u'.repeat(81)],
  ['DALGA_MYSQL_DB', 'a/b'],
  ['DALGA_MYSQL_DB', 'd'.repeat(65)],
  ['DALGA_MYSQL_TABLE', 't'.repeat(51)],
  ['DALGA_MYSQL_TABLE', 'db.table'],
  ['DALGA_MYSQL_TABLE', 'jobs`; DROP TABLE x'],
  ['DALGA_MYSQL_TABLE', 'täbel'],
  ['DALGA_MYSQL_TABLE', 'jobs\n'],
  ['DALGA_RABBITMQ_PORT', '70000'],
  ['DALGA_RABBITMQ_VHOST', 'v'.repeat(256)],
  ['DALGA_RABBITMQ_EXCHANGE', 'é'.repeat(128)],
  ['DALGA_CREATE_TABLE_AT_START', 'yes'],
  ['DALGA_DEBUG', '1'],
  ['DALGA_DEBUG', 'True'],
  ['DALGA_LEASE', '5'],
  ['DALGA_LEASE', '999ms'],
  ['DALGA_LEASE', '11m'],
  ['DALGA_LEASE', '5 s'],
  ['DALGA_LEASE', '5S'],
  ['DALGA_LEASE', '1.5s'],
  ['DALGA_LEASE', '0'],
  ['DALGA_WITHOUT_LEASE', 'wait'],
  ['DALGA_CHECKPOINT_INTERVAL', '251ms'],
  ['DALGA_CHECKPOINT_INTERVAL', '9ms'],
  ['DALGA_STOP_TIMEOUT', '0s'],
  ['DALGA_STOP_TIMEOUT', '2h'],
  ['DALGA_MISFIRE_AFTER', '999ms'],
  ['DALGA_MISFIRE_BACKLOG', '0'],
  ['DALGA_CATCHUP_RATE', '1000001'],
  ['DALGA_CATCHUP_RATE', '-1'],
  ['DALGA_BACKFILL_RATE', '0'],
  ['DALGA_PUBLISHER_THREADS', '65'],
  ['DALGA_MEMORY_LIMIT', '15M'],
  ['DALGA_MEMORY_LIMIT', '70%'],
  ['DALGA_MEMORY_LIMIT', '99999999999999999999G'],
];

t.test('what each setting refuses, naming variable, flag, rule and value', async (t) => {
  for (const [variable, text] of refused) {
    for (const errors of [errorsOf({ [variable]: text }), errorsOf({}, [`-${flagOf(variable)}=${text}`])]) {
      t.equal(errors.length, 1, `${variable}=${text.slice(0, 30)}`);
      t.ok(errors[0]?.startsWith(`${variable} (-${flagOf(variable)}) must be `), errors[0] ?? 'nothing');
      t.ok(errors[0]?.endsWith(`, not ${JSON.stringify(text.slice(0, 60))}`), 'the value is shown');
    }
  }
});

t.test('all errors come at once, each once', async (t) => {
  const errors = errorsOf({ DALGA_HTTP_PORT: 'x', DALGA_LEASE: '5', DALGA_MYSQL_PASSWORD_FILE: '/none' }, [
    '-nonsense',
    '-mysql-table=',
  ]);
  t.equal(errors.length, 5);
  for (const part of ['-nonsense', 'PASSWORD_FILE', 'DALGA_HTTP_PORT', 'DALGA_MYSQL_TABLE', 'DALGA_LEASE']) {
    t.equal(errors.filter((error) => error.includes(part)).length, 1, part);
  }
});

t.test('an empty variable counts as unset, an empty flag does not', async (t) => {
  const empty = Object.fromEntries(settingNames.map((name) => [name, '']));
  t.strictSame(load({ ...empty, DALGA_MYSQL_PASSWORD_FILE: '' }), load({}));
  t.equal(load({ DALGA_MYSQL_PASSWORD: 'x' }, ['-mysql-password=']).config.mysql.password, '');
  t.equal(load({ DALGA_RABBITMQ_EXCHANGE: 'x' }, ['-rabbitmq-exchange', '']).config.rabbitmq.exchange, '');
  t.match(errorsOf({}, ['-mysql-host=']), [/must be a host name or an IP address, not empty$/]);
});

t.test('a flag wins over the environment', async (t) => {
  t.equal(load({ DALGA_HTTP_PORT: '1' }, ['-http-port', '2']).config.http.port, 2);
  t.equal(load({ DALGA_HTTP_PORT: 'wrong' }, ['-http-port', '2']).config.http.port, 2);
  t.equal(load({ DALGA_DEBUG: 'true' }, ['-debug=false']).config.debug, false);
});

t.test('a secret from a file', async (t) => {
  const variable = 'DALGA_MYSQL_PASSWORD_FILE';
  const contents: [string, string][] = [
    ['pw', 'pw'],
    ['pw\n', 'pw'],
    ['pw\r\n', 'pw'],
    ['pw\n\n', 'pw\n'],
    [' pw ', ' pw '],
    ['', ''],
  ];
  for (const [content, password] of contents) {
    const { config } = load({ [variable]: '/f' }, [], { '/f': content });
    t.equal(config.mysql.password, password, JSON.stringify(content));
  }
  const files = { '/f': 'from-file' };
  t.equal(load({}, ['-rabbitmq-password-file', '/f'], files).config.rabbitmq.password, 'from-file');
  t.strictSame(errorsOf({ [variable]: '/none' }), [
    `${variable} (-mysql-password-file) must name a file that can be read; reading "/none" gave ENOENT`,
  ]);
  t.match(errorsOf({ [variable]: '/f', DALGA_MYSQL_PASSWORD: 'other' }, [], files), [
    /DALGA_MYSQL_PASSWORD .*must not both be given/,
  ]);
  t.match(errorsOf({}, ['-mysql-password=a', '-mysql-password-file=/f'], files), [/must not both be given/]);
  t.equal(load({ [variable]: '/none' }, ['-mysql-password=flag']).config.mysql.password, 'flag');
  const both = { [variable]: '/none', DALGA_MYSQL_PASSWORD: 'other' };
  t.equal(load(both, ['-mysql-password-file=/f'], files).config.mysql.password, 'from-file');
});

t.test('a file is read from disk when nothing else is given', async (t) => {
  const path = `${t.testdir({ secret: 'on-disk\n' })}/secret`;
  const { config } = loadConfig({ env: { DALGA_MYSQL_PASSWORD_FILE: path }, args: [] });
  t.equal(config.mysql.password, 'on-disk');
});

t.test('no message holds the value of a secret', async (t) => {
  const secret = 'hunter2';
  const cases: [Env, string[]][] = [
    [{ DALGA_MYSQL_PASSWORD: `${secret}\0`, DALGA_RABBITMQ_PASSWORD: `${secret}\0` }, []],
    [{ DALGA_MYSQL_PASSWORD: secret, DALGA_MYSQL_PASSWORD_FILE: '/f', DALGA_LEASE: '5' }, []],
    [{}, ['-mysql-password', `-${secret}`]],
    [{}, ['-mysql-password', 'my', secret]],
    [{}, ['-mysql-password=my', secret]],
    [{}, ['-mysql-pasword', secret]],
    [{}, [`-mysql-pasword=${secret}`]],
    [{}, [`-mysql-password:${secret}`]],
    [{}, [`-debug=${secret}`, secret].slice(1)],
  ];
  for (const [env, args] of cases) {
    const errors = errorsOf(env, args, { '/f': secret });
    t.not(errors.length, 0, args.join(' ') || Object.keys(env).join(' '));
    t.notOk(errors.join('\n').includes(secret), errors.join(' | '));
  }
  const { config } = load({ DALGA_MYSQL_PASSWORD: secret, DALGA_RABBITMQ_PASSWORD: secret });
  t.notOk(JSON.stringify(redact(config)).includes(secret));
  t.equal(redact(config).mysql.host, 'localhost');
});

t.test('unknown variables are told, what Kubernetes adds is not', async (t) => {
  t.strictSame(load({ DALGA_MYSQL_PASWORD: 'hunter2' }).warnings, [
    'unknown variable DALGA_MYSQL_PASWORD is ignored, did you mean DALGA_MYSQL_PASSWORD?',
  ]);
  t.strictSame(load({ DALGA_COLOUR_OF_THE_SKY: 'blue' }).warnings, [
    'unknown variable DALGA_COLOUR_OF_THE_SKY is ignored',
  ]);
  t.equal(load({ DALGA_PORT: '8080' }).warnings.length, 1);
  const quiet = {
    DALGA_PORT: 'tcp://10.0.0.1:34006',
    DALGA_SERVICE_HOST: '10.0.0.1',
    DALGA_SERVICE_PORT: '34006',
    DALGA_SERVICE_PORT_HTTP: '34006',
    DALGA_PORT_34006_TCP: 'tcp://10.0.0.1:34006',
    DALGA_PORT_34006_TCP_ADDR: '10.0.0.1',
    DALGA_PORT_34006_TCP_PROTO: 'tcp',
    DALGA_MYSQL_SERVICE_HOST: '10.0.0.2',
    MYSQL_PORT: 'tcp://10.0.0.2:3306',
    PATH: '/bin',
  };
  t.strictSame(load(quiet).warnings, []);
  t.match(errorsOf({ DALGA_MYSQL_PORT: 'tcp://10.0.0.2:3306' }), [/Kubernetes.*enableServiceLinks: false/]);
  try {
    load({ DALGA_LEASE: '5', DALGA_LEESE: '6s' });
    t.fail('a wrong setting was accepted');
  } catch (error) {
    t.match(error, { warnings: [/did you mean DALGA_LEASE\?$/] }, 'warnings are not lost in errors');
  }
});

t.test('where unroutable messages go is one place, and another one', async (t) => {
  const both = { DALGA_UNROUTABLE_EXCHANGE: 'a', DALGA_UNROUTABLE_QUEUE: 'b' };
  t.match(errorsOf(both), [
    'DALGA_UNROUTABLE_EXCHANGE (-unroutable-exchange) and DALGA_UNROUTABLE_QUEUE (-unroutable-queue) exclude each other: set one of them',
  ]);
  const same = { DALGA_RABBITMQ_EXCHANGE: 'a', DALGA_UNROUTABLE_EXCHANGE: 'a' };
  t.match(errorsOf(same), [/must be another exchange than DALGA_RABBITMQ_EXCHANGE/]);
  t.strictSame(load({ DALGA_UNROUTABLE_QUEUE: 'b' }).config.rabbitmq.unroutable, {
    kind: 'queue',
    name: 'b',
  });
});

t.test('help and version work whatever else is wrong', async (t) => {
  const { action, config } = load({ DALGA_LEASE: 'x' }, ['-nonsense', '-h']);
  t.equal(action, 'help');
  t.equal(config.lease, 5_000);
  t.equal(load({ DALGA_LEASE: 'x' }, ['-version']).action, 'version');
});
