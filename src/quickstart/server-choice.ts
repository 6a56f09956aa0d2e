import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { Compose, type ComposeService } from './compose.ts';
import { installDebianPackages, missingPackages, whyNoInstall } from './debian-packages.ts';
import { type MysqlLogin, type RabbitmqLogin, whyNoMysql, whyNoRabbitmq } from './login-check.ts';
import { startPrivateMysql, startPrivateRabbitmq } from './private-servers.ts';
import type { Running } from './server-start.ts';
import type { Step } from './step.ts';

/** What a person has to put right before the quickstart can go on. */
export class Refusal extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

export type Servers = { mysql: MysqlLogin; rabbitmq: RabbitmqLogin };

export type ChoiceOptions = {
  root: string;
  step: Step;
  config: Config;
  /** The settings that were given, by variable. */
  given: ReadonlyMap<string, string>;
  /** Takes what ends a server that was started. */
  atEnd: (stop: () => Promise<void>) => void;
  /** Takes a server that was started, whose end would be the end of the run. */
  watch: (running: Running) => void;
};

/**
 * The servers that the settings point to, when a login with them works. Otherwise, where nothing was said about
 * a server, one of our own: private, or of Docker Compose. A server that settings name is never replaced by
 * another: its refusal ends the quickstart.
 */
export async function chooseServers(options: ChoiceOptions): Promise<Servers> {
  const { config, step } = options;
  const [noMysql, noRabbitmq] = await step('looking for MySQL and RabbitMQ', () =>
    Promise.all([whyNoMysql(config.mysql), whyNoRabbitmq(config.rabbitmq)]),
  );
  refuseGiven(options, 'MYSQL', config.mysql, noMysql);
  refuseGiven(options, 'RABBITMQ', config.rabbitmq, noRabbitmq);

  const needed: ComposeService[] = [];
  if (noMysql) needed.push('mysql');
  if (noRabbitmq) needed.push('rabbitmq');
  const own = needed.length > 0 ? await startOwn(needed, options) : {};
  return { mysql: config.mysql, rabbitmq: config.rabbitmq, ...own };
}

const NAMES = { MYSQL: 'MySQL', RABBITMQ: 'RabbitMQ' };

function refuseGiven(
  { given }: ChoiceOptions,
  kind: 'MYSQL' | 'RABBITMQ',
  { host, port, user }: { host: string; port: number; user: string },
  why: string | undefined,
): void {
  const login = ['HOST', 'PORT', 'USER', 'PASSWORD', 'PASSWORD_FILE', kind === 'MYSQL' ? 'DB' : 'VHOST'];
  const settings = login.map((name) => `DALGA_${kind}_${name}`);
  const said = settings.filter((name) => given.has(name));
  if (why === undefined || said.length === 0) return;
  const others = settings.filter((name) => !said.includes(name) && !name.endsWith('_FILE'));
  throw new Refusal(
    `${NAMES[kind]} at ${host}:${port} cannot be used as user ${user}: ${why}\n` +
      `Given: ${said.join(', ')}. Correct these${others.length > 0 ? ` or set ${others.join(', ')}` : ''}; ` +
      'or unset them all to let the quickstart start a server of its own.',
    2,
  );
}

/** apt-get's packages for the servers that are needed. */
const PACKAGES = { mysql: 'mariadb-server', rabbitmq: 'rabbitmq-server' };

async function startOwn(
  needed: readonly ComposeService[],
  options: ChoiceOptions,
): Promise<Partial<Servers>> {
  const { step } = options;
  const missing = missingPackages().filter((name) => needed.some((service) => PACKAGES[service] === name));
  if (missing.length === 0) return startPrivate(needed, options);
  const why = whyNoInstall();
  if (why === undefined) {
    const label = `installing ${missing.join(' and ')} (apt-get)`;
    const installed = step(label, (detail) => installDebianPackages(missing, detail));
    options.atEnd(() => installed.catch(() => {}));
    await installed;
    return startPrivate(needed, options);
  }
  const compose = new Compose(options.root);
  if (await compose.available()) return startCompose(compose, needed, options);
  throw new Refusal(
    `No login to ${needed.join(' and ')} works, ${missing.join(' and ')} cannot be installed (${why}), ` +
      'and no Docker engine answers.\nEither install these Debian packages, or start Docker, or name servers ' +
      'with DALGA_MYSQL_HOST, _PORT, _USER, _PASSWORD, _DB and DALGA_RABBITMQ_HOST, _PORT, _USER, _PASSWORD, _VHOST.',
  );
}

async function startPrivate(needed: readonly ComposeService[], { root, step, atEnd, watch }: ChoiceOptions) {
  const folder = join(root, '.private', 'quickstart');
  mkdirSync(folder, { recursive: true });
  const servers: Partial<Servers> = {};
  await step(`starting a private ${needed.join(' and ')} (.private/quickstart)`, async (log) => {
    const start = {
      mysql: async () => {
        const server = await startPrivateMysql({ folder: join(folder, 'mysql'), log });
        atEnd(server.stop);
        watch({ name: 'MySQL', exited: server.exited, logFile: server.logFile });
        servers.mysql = server;
      },
      rabbitmq: async () => {
        const server = await startPrivateRabbitmq({ folder: join(folder, 'rabbitmq'), log });
        atEnd(server.stop);
        watch({ name: 'RabbitMQ', exited: server.exited, logFile: server.logFile });
        servers.rabbitmq = server;
      },
    };
    await Promise.all(needed.map((service) => start[service]()));
  });
  return servers;
}

async function startCompose(compose: Compose, needed: readonly ComposeService[], options: ChoiceOptions) {
  const { step, atEnd } = options;
  atEnd(await step(`starting ${needed.join(' and ')} (Docker Compose)`, () => compose.start(needed)));
  const servers: Partial<Servers> = {};
  if (needed.includes('mysql')) servers.mysql = await compose.mysqlLogin();
  if (needed.includes('rabbitmq')) servers.rabbitmq = await compose.rabbitmqLogin();
  return servers;
}
