import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where Debian's rabbitmq-server package keeps the scripts that do not change the user. */
const RABBITMQ_FOLDER = '/usr/lib/rabbitmq/bin';

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The full path of a program on PATH or in the system folders (an ordinary user's PATH lacks /usr/sbin). */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

export type MysqlPrograms = { server: string; install: string };
export type RabbitmqPrograms = { server: string; ctl: string; epmd: string };

/** MariaDB's programs, or undefined when they are not installed. */
export function findMysql(): MysqlPrograms | undefined {
  const server = findProgram('mariadbd');
  const install = findProgram('mariadb-install-db');
  return server && install ? { server, install } : undefined;
}

/**
 * RabbitMQ's programs, or undefined when they are not installed. The wrappers on PATH change to the user
 * rabbitmq and so cannot use folders of ours.
 */
export function findRabbitmq(): RabbitmqPrograms | undefined {
  const server = join(RABBITMQ_FOLDER, 'rabbitmq-server');
  const ctl = join(RABBITMQ_FOLDER, 'rabbitmqctl');
  const epmd = findProgram('epmd');
  return isExecutable(server) && isExecutable(ctl) && epmd ? { server, ctl, epmd } : undefined;
}
