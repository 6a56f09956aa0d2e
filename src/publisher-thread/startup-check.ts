import type { ChannelModel } from 'amqplib';
import type { RabbitmqConfig } from '../config.ts';
import { StartupError } from '../errors.ts';
import { closeConnection, openConnection } from './connect.ts';
import { explainConnectionError, textOf } from './connection-error.ts';
import { checkExchange, isRefusal } from './exchange-check.ts';

/**
 * Connects once, looks for the configured exchange, and disconnects. Resolves with the broker's version.
 *
 * @throws StartupError naming the setting; `transient` when the server cannot be reached and may come later.
 */
export async function checkBroker(config: RabbitmqConfig): Promise<{ version: string }> {
  let connection: ChannelModel | undefined;
  try {
    connection = await openConnection(config, 'dalga start-up check');
    connection.on('error', () => {});
    if (config.exchange !== '') await checkExchange(connection, config.exchange);
    return { version: connection.connection.serverProperties.version };
  } catch (error) {
    const { reason, fatal } = explainConnectionError(error, config);
    throw new StartupError(reason, { transient: !fatal, cause: error });
  } finally {
    if (connection !== undefined) await closeConnection(connection);
  }
}

/**
 * Looks for an exchange, over a connection of its own. Resolves with why it is not to be had; with null when it is
 * there, and when the broker cannot be asked now. Never rejects.
 */
export async function lookForExchange(config: RabbitmqConfig, exchange: string): Promise<string | null> {
  let connection: ChannelModel | undefined;
  try {
    connection = await openConnection(config, 'dalga exchange check');
    connection.on('error', () => {});
    await checkExchange(connection, exchange);
    return null;
  } catch (error) {
    return isRefusal(error) ? textOf(error.message) : null;
  } finally {
    if (connection !== undefined) await closeConnection(connection);
  }
}
