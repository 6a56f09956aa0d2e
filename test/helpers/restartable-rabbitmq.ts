import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import amqp, { type ChannelModel } from 'amqplib';
import type { Test } from 'tap';
import type { PrivateRabbitmq } from '../../src/quickstart/private-servers.ts';
import { startPrivateRabbitmq } from './servers.ts';

/** A broker of a test's own, which can be ended in every way and started again with its data, on its port. */
export class RestartableRabbitmq {
  readonly #folder: string;
  #server: PrivateRabbitmq;

  /** Ends with the test. */
  static async start(t: Test): Promise<RestartableRabbitmq> {
    const folder = mkdtempSync(join(tmpdir(), 'dalga-test-'));
    const broker = new RestartableRabbitmq(folder, await startPrivateRabbitmq({ folder }));
    t.teardown(async () => {
      await broker.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    return broker;
  }

  private constructor(folder: string, server: PrivateRabbitmq) {
    this.#folder = folder;
    this.#server = server;
  }

  get login(): { host: string; port: number; user: string; password: string; vhost: string } {
    const { host, port, user, password, vhost } = this.#server;
    return { host, port, user, password, vhost };
  }

  connect(): Promise<ChannelModel> {
    const { host: hostname, port, user: username, password, vhost } = this.login;
    return amqp.connect({ hostname, port, username, password, vhost }, { timeout: 5000 });
  }

  /** rabbitmqctl */
  ctl(...args: string[]): Promise<string> {
    return this.#server.ctl(...args);
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }

  /** kill -9 of the broker's virtual machine. */
  async kill(): Promise<void> {
    this.#server.kill('SIGKILL');
    await this.#server.exited;
  }

  async startAgain(): Promise<void> {
    this.#server = await startPrivateRabbitmq({ folder: this.#folder, port: this.#server.port });
  }

  /** The connections stay open, and nobody answers on them. */
  freeze(): void {
    this.#server.kill('SIGSTOP');
  }

  thaw(): void {
    this.#server.kill('SIGCONT');
  }
}
