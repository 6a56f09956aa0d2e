import amqp from 'amqplib';
import mysql from 'mysql2/promise';

export type MysqlLogin = { host: string; port: number; user: string; password: string; database: string };
export type RabbitmqLogin = { host: string; port: number; user: string; password: string; vhost: string };

/** ms */
const TIMEOUT = 5000;

/** Why a login to MySQL does not work, or undefined when it does. */
export async function whyNoMysql({ host, port, user, password, database }: MysqlLogin) {
  try {
    const login = { host, port, user, password, database, connectTimeout: TIMEOUT };
    const connection = await mysql.createConnection(login);
    await connection.end();
    return undefined;
  } catch (error) {
    return reason(error);
  }
}

/** Why a login to RabbitMQ does not work, or undefined when it does. */
export async function whyNoRabbitmq({ host, port, user, password, vhost }: RabbitmqLogin) {
  try {
    const login = { protocol: 'amqp', hostname: host, port, username: user, password, vhost };
    const connection = await amqp.connect(login, { timeout: TIMEOUT });
    connection.on('error', () => {});
    await connection.close();
    return undefined;
  } catch (error) {
    return reason(error);
  }
}

/** An AggregateError (localhost has two addresses) has no message of its own, only a code. */
function reason(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  return message || code || String(error);
}
