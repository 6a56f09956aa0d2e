import type { MysqlConfig } from '../config.ts';
import { StartupError } from '../errors.ts';

/** The connection was lost, or the deadline of a statement passed: what became of the statement is not known. */
export class SessionLost extends Error {
  override readonly name = 'SessionLost';
}

/** A statement of several that went together failed (`cause`): none after it was carried out. */
export class SequenceFailed extends Error {
  override readonly name = 'SequenceFailed';
  /** How many statements that return no rows were carried out before it. */
  readonly completed: number;

  constructor(completed: number, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.completed = completed;
  }
}

/** The errors of the server that matter here, by number: MySQL's and MariaDB's are the same where both have one. */
const ERRNO = {
  accessDeniedToDatabase: 1044,
  accessDenied: 1045,
  noDatabase: 1046,
  unknownDatabase: 1049,
  shutdown: 1053,
  unknownColumn: 1054,
  duplicateColumn: 1060,
  duplicateKey: 1062,
  unknownThread: 1094,
  tableFull: 1114,
  diskFull: 1021,
  changedSinceRead: 1020,
  tooManyConnections: 1040,
  hostBlocked: 1129,
  hostNotAllowed: 1130,
  tableAccessDenied: 1142,
  columnAccessDenied: 1143,
  noSuchTable: 1146,
  packetTooLarge: 1153,
  lockWaitTimeout: 1205,
  userLimit: 1226,
  deadlock: 1213,
  forbiddenByOption: 1290,
  interrupted: 1317,
  accessDeniedNoPassword: 1698,
  readOnlyTransaction: 1792,
  readOnly: 1836,
  connectionKilled: 1927,
  idleTooLong: 4031,
} as const;

/** After these the server closes the connection. */
const ENDS_SESSION: ReadonlySet<number> = new Set([
  ERRNO.shutdown,
  ERRNO.packetTooLarge,
  ERRNO.connectionKilled,
  ERRNO.idleTooLong,
]);

/** Nothing was written, and the same transaction may succeed when it is run again. */
const RETRYABLE: ReadonlySet<number> = new Set([
  ERRNO.changedSinceRead,
  ERRNO.lockWaitTimeout,
  ERRNO.deadlock,
  ERRNO.interrupted,
]);

/** The fault lies with the server or its set-up, and not with what a request wants to write. */
const SERVER_WIDE: ReadonlySet<number> = new Set([
  ERRNO.accessDeniedToDatabase,
  ERRNO.diskFull,
  ERRNO.tableFull,
  ERRNO.tableAccessDenied,
  ERRNO.columnAccessDenied,
  ERRNO.noSuchTable,
  ERRNO.unknownColumn,
  ERRNO.forbiddenByOption,
  ERRNO.readOnlyTransaction,
  ERRNO.readOnly,
]);

/** The server's error number; undefined for errors that it did not send. */
export function errnoOf(error: unknown): number | undefined {
  const { errno, sqlState } = (error ?? {}) as { errno?: unknown; sqlState?: unknown };
  // Node's system errors have a (negative) errno too, but no SQL state.
  return typeof errno === 'number' && errno > 0 && sqlState !== undefined ? errno : undefined;
}

export function sessionEnds(error: unknown): boolean {
  if (error instanceof SessionLost) return true;
  const errno = errnoOf(error);
  return errno === undefined ? true : ENDS_SESSION.has(errno);
}

/** Whether the connection went, so that the transaction can never commit unless COMMIT had been sent. */
export function isLost(error: unknown): boolean {
  const errno = errnoOf(error);
  return (
    error instanceof SessionLost ||
    errno === ERRNO.shutdown ||
    errno === ERRNO.connectionKilled ||
    errno === ERRNO.idleTooLong
  );
}

export function isRetryable(error: unknown): boolean {
  return RETRYABLE.has(errnoOf(error) ?? 0);
}

export function isServerWide(error: unknown): boolean {
  return SERVER_WIDE.has(errnoOf(error) ?? 0);
}

export function isNoSuchTable(error: unknown): boolean {
  return errnoOf(error) === ERRNO.noSuchTable;
}

export function isDuplicateKey(error: unknown): boolean {
  return errnoOf(error) === ERRNO.duplicateKey;
}

export function isDuplicateColumn(error: unknown): boolean {
  return errnoOf(error) === ERRNO.duplicateColumn;
}

export function isUnknownColumn(error: unknown): boolean {
  return errnoOf(error) === ERRNO.unknownColumn;
}

export function isUnknownThread(error: unknown): boolean {
  return errnoOf(error) === ERRNO.unknownThread;
}

/**
 * What a person is told when MySQL cannot be used: which server, at which address, what it said, and what to set.
 * The password is never part of it.
 */
export function explainConnectionError(error: unknown, config: MysqlConfig): StartupError {
  const reason = explain(error, config);
  return new StartupError(`MySQL at ${config.host}:${config.port}: ${reason}`, { cause: error });
}

function explain(error: unknown, { host, port, user, database, table }: MysqlConfig): string {
  const said =
    error instanceof Error ? error.message || String((error as { code?: unknown }).code) : String(error);
  switch (errnoOf(error)) {
    case ERRNO.accessDenied:
    case ERRNO.accessDeniedNoPassword:
      return `it refuses the login of user '${user}' (${said}); set DALGA_MYSQL_USER and DALGA_MYSQL_PASSWORD`;
    case ERRNO.accessDeniedToDatabase:
      return `user '${user}' may not use database '${database}' (${said}); grant it, or set DALGA_MYSQL_DB`;
    case ERRNO.noDatabase:
    case ERRNO.unknownDatabase:
      return `there is no database '${database}'; create it (CREATE DATABASE), or set DALGA_MYSQL_DB`;
    case ERRNO.noSuchTable:
      return missingTable(table, database);
    case ERRNO.tableAccessDenied:
    case ERRNO.columnAccessDenied:
      return `user '${user}' lacks a privilege (${said}); grant it, or set DALGA_MYSQL_USER`;
    case ERRNO.hostNotAllowed:
    case ERRNO.hostBlocked:
      return `it does not accept connections from this machine (${said})`;
    case ERRNO.tooManyConnections:
    case ERRNO.userLimit:
      return `it accepts no further connection (${said}); raise its limit`;
  }
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
      return `nothing listens there (connection refused); start MySQL, or set DALGA_MYSQL_HOST and DALGA_MYSQL_PORT`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the host name '${host}' cannot be resolved; set DALGA_MYSQL_HOST`;
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `it cannot be reached, or is no MySQL server; check the network, or set DALGA_MYSQL_HOST and DALGA_MYSQL_PORT`;
    case 'PROTOCOL_CONNECTION_LOST':
    case 'ECONNRESET':
      return `it closed the connection; check that MySQL (and not something else) listens on port ${port}`;
  }
  return said;
}

/** What to do when the tables do not exist. */
export function missingTable(table: string, database: string): string {
  return (
    `database '${database}' has no table '${table}' of Dalga; run dalga -create-table, ` +
    'or set DALGA_CREATE_TABLE_AT_START=true'
  );
}

/** Node's or mysql2's code of an error, of its cause, or of the first of an AggregateError (localhost has two). */
function codeOf(error: unknown): string | undefined {
  const { code, cause, errors } = (error ?? {}) as { code?: unknown; cause?: unknown; errors?: unknown };
  if (typeof code === 'string') return code;
  if (cause !== undefined) return codeOf(cause);
  return Array.isArray(errors) ? codeOf(errors[0]) : undefined;
}
