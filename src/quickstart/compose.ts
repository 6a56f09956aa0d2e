import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { MysqlLogin, RabbitmqLogin } from './login-check.ts';

export type ComposeService = 'mysql' | 'rabbitmq';

/** docker/compose.yaml's MySQL and RabbitMQ; their logins and ports are read from there. */
export class Compose {
  readonly #arguments: readonly string[];

  constructor(root: string) {
    this.#arguments = ['compose', '--file', join(root, 'docker', 'compose.yaml')];
  }

  async #run(...args: string[]): Promise<string> {
    return (await promisify(execFile)('docker', [...this.#arguments, ...args])).stdout.trim();
  }

  /** Whether there is a Docker engine that answers, and its Compose plugin. */
  async available(): Promise<boolean> {
    try {
      await promisify(execFile)('docker', ['info']);
      await this.#run('version');
      return true;
    } catch {
      return false;
    }
  }

  /** Starts services and waits until they are healthy. Resolves with what ends those that it started itself. */
  async start(services: readonly ComposeService[]): Promise<() => Promise<void>> {
    const running = (await this.#run('ps', '--status', 'running', '--services')).split('\n');
    const started = services.filter((service) => !running.includes(service));
    const stop = async (): Promise<void> => {
      if (started.length > 0) await this.#run('stop', ...started);
    };
    try {
      await this.#run('up', '--detach', '--wait', ...services);
    } catch (error) {
      await stop().catch(() => {});
      throw error;
    }
    return stop;
  }

  async mysqlLogin(): Promise<MysqlLogin> {
    const env = await this.#environment('mysql');
    const user = env.MYSQL_USER ?? 'root';
    return {
      ...(await this.#address('mysql', 3306)),
      user,
      password: (user === 'root' ? env.MYSQL_ROOT_PASSWORD : env.MYSQL_PASSWORD) ?? '',
      database: env.MYSQL_DATABASE ?? 'test',
    };
  }

  async rabbitmqLogin(): Promise<RabbitmqLogin> {
    const env = await this.#environment('rabbitmq');
    return {
      ...(await this.#address('rabbitmq', 5672)),
      user: env.RABBITMQ_DEFAULT_USER ?? 'guest',
      password: env.RABBITMQ_DEFAULT_PASS ?? 'guest',
      vhost: env.RABBITMQ_DEFAULT_VHOST ?? '/',
    };
  }

  async #environment(service: ComposeService): Promise<Record<string, string | undefined>> {
    const config = JSON.parse(await this.#run('config', '--format', 'json'));
    return config.services[service].environment ?? {};
  }

  async #address(service: ComposeService, port: number): Promise<{ host: string; port: number }> {
    const address = await this.#run('port', service, String(port));
    return { host: '127.0.0.1', port: Number(address.split(':').at(-1)) };
  }
}
