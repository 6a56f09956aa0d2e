import type { ChannelModel } from 'amqplib';
import type { RabbitmqConfig } from '../config.ts';
import { StartupError } from '../errors.ts';
import { closeConnection, openConnection } from './connect.ts';
import { explainConnectionError, textOf } from './connection-error.ts';
import { checkExchange, checkQueue, isRefusal } from './exchange-check.ts';

/**
 * Connects once, looks for the configured exchange and that (or the queue) for unroutable messages, and disconnects. Resolves with the broker's version.
 *
 * @throws StartupError naming the setting; `transient` when the server cannot be reached and may come later.
 */
export async function checkBroker(config: RabbitmqConfig): Promise<{ version: string }> {
  let connection: ChannelModel | undefined;
  try {
    connection = await openConnection(config, 'dalga start-up check');
    connection.on('error', () => {});
    if (config.exchange !== '') await checkExchange(connection, config.exchange);
    await checkUnroutable(connection, config);
    return { version: connection.connection.serverProperties.version };
  } catch (error) {
    if (error instanceof StartupError) throw error;
    const { reason, fatal } = explainConnectionError(error, config);
    throw new StartupError(reason, { transient: !fatal, cause: error });
  } finally {
    if (connection !== undefined) await closeConnection(connection);
  }
}

async function checkUnroutable(connection: ChannelModel, config: RabbitmqConfig): Promise<void> {
  const { host, port, vhost, unroutable } = config;
  if (unroutable === undefined) return;
  const { kind, name } = unroutable;
  try {
    await (kind === 'exchange' ? checkExchange : checkQueue)(connection, name);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 404) throw error;
    throw new StartupError(
      `RabbitMQ at ${host}:${port} has no ${kind} ${JSON.stringify(name)} in its vhost ${JSON.stringify(vhost)} ` +
        `for messages that no queue takes: declare it, or set DALGA_UNROUTABLE_${kind.toUpperCase()}`,
      { cause: error },
    );
  }
}

/**
 * Looks for an exchange, over a connection of its own. Resolves with why it is not to be had, with null when it is
 * there, and with undefined when the broker cannot be asked now. Never rejects.
 */
export async function lookForExchange(
  config: RabbitmqConfig,
  exchange: string,
): Promise<string | null | undefined> {
  let connection: ChannelModel | undefined;
  try {
    connection = await openConnection(config, 'dalga exchange check');
    connection.on('error', () => {});
    await checkExchange(connection, exchange);
    return null;
  } catch (error) {
    return isRefusal(error) ? textOf(error.message) : undefined;
  } finally {
    if (connection !== undefined) await closeConnection(connection);
  }
}
