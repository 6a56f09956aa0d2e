import type { RabbitmqConfig } from '../config.ts';

/** What is wrong, in one line for a person. `fatal`: the server refuses, and only an operator can mend it. */
export type ConnectionFault = { readonly reason: string; readonly fatal: boolean };

const SERVER_SETTINGS = 'DALGA_RABBITMQ_HOST and DALGA_RABBITMQ_PORT';

/**
 * Says which server, at which address, and which setting, for an error of amqplib or of the socket below it.
 * amqplib tells some of them apart by its messages only. The password never comes up.
 */
export function explainConnectionError(error: unknown, config: RabbitmqConfig): ConnectionFault {
  const server = `RabbitMQ at ${config.host}:${config.port}`;
  const { code, message } = partsOf(error);
  const waitable = (reason: string): ConnectionFault => ({ reason, fatal: false });
  const fatal = (reason: string): ConnectionFault => ({ reason, fatal: true });
  switch (code) {
    case 'ECONNREFUSED':
      return waitable(`${server} refuses the connection: is it running there? (${SERVER_SETTINGS})`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return waitable(`the host name of ${server} cannot be resolved (DALGA_RABBITMQ_HOST)`);
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return waitable(`${server} cannot be reached: ${code} (${SERVER_SETTINGS})`);
    case 404:
      return fatal(
        `${server} has no exchange ${JSON.stringify(config.exchange)} in its vhost ` +
          `${JSON.stringify(config.vhost)}: declare it, or set DALGA_RABBITMQ_EXCHANGE`,
      );
    case 320:
      return waitable(`${server} closed the connection: ${textOf(message)}`);
  }
  if (/Handshake terminated by server: 403/.test(message)) {
    return fatal(
      `${server} refuses the login of ${JSON.stringify(config.user)} ` +
        '(DALGA_RABBITMQ_USER and DALGA_RABBITMQ_PASSWORD)',
    );
  }
  // The server's text is not to be had here: amqplib tells only that it closed instead of opening the vhost.
  if (/Expected ConnectionOpenOk; got <ConnectionClose/.test(message)) {
    return fatal(
      `${server} refuses the vhost ${JSON.stringify(config.vhost)} to the user ${JSON.stringify(config.user)}: ` +
        'it does not exist, the user has no permission on it, or it is at its limit of connections ' +
        '(DALGA_RABBITMQ_VHOST)',
    );
  }
  if (code === 'DEADLINE' || /ETIMEDOUT|Heartbeat timeout/.test(message)) {
    return waitable(`${server} does not answer in time (${SERVER_SETTINGS})`);
  }
  if (/Invalid frame|maxFrameSize|Expected ConnectionStart|SASL mechanism/.test(message)) {
    return fatal(
      `what listens at ${config.host}:${config.port} is not RabbitMQ's AMQP port (${SERVER_SETTINGS})`,
    );
  }
  if (/Socket closed abruptly/.test(message)) {
    return waitable(
      `${server} hung up during the handshake: is it starting, or is this not its AMQP port? (${SERVER_SETTINGS})`,
    );
  }
  return waitable(`the connection to ${server} failed: ${textOf(message)}`);
}

function partsOf(error: unknown): { code: unknown; message: string } {
  if (!(error instanceof Error)) return { code: undefined, message: 'closed' };
  const { code, errors } = error as { code?: unknown; errors?: unknown[] };
  // A host with several addresses fails with all their errors together.
  const first = error.message === '' && errors?.[0] instanceof Error ? errors[0] : error;
  return { code, message: first.message };
}

/** The server's own words out of amqplib's `Channel closed by server: 404 (NOT-FOUND) with message "..."`. */
export function textOf(message: string): string {
  return (/with message "(.*)"/s.exec(message)?.[1] ?? message).replaceAll(/\s+/g, ' ');
}
