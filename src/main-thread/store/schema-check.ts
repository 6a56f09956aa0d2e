import type { MysqlConfig } from '../../config.ts';
import {
  MigrationRefused,
  migrate,
  newerSchema,
  SCHEMA_VERSION,
  schemaVersion,
} from '../../database/migrations.ts';
import { openSession, type SqlSession } from '../../database/session.ts';
import { explainConnectionError, isUnknownColumn, missingTable } from '../../database/sql-errors.ts';
import { jobStatements } from '../../database/statements.ts';
import { StartupError } from '../../errors.ts';

/**
 * Creates the tables or brings them up to date; safe to call again, and by two instances at once.
 *
 * @throws StartupError
 */
export async function createTables(config: MysqlConfig): Promise<void> {
  await withSession(config, async (session) => {
    await ofThisProgram(config, () => migrate(session, config.database, config.table));
    await probe(session, config);
  });
}

/** @throws StartupError when the tables are missing (it names the flag), older than this program, or newer */
export async function checkTables(config: MysqlConfig): Promise<void> {
  await withSession(config, async (session) => {
    const version = await schemaVersion(session, config.table);
    if (version === 0) throw new StartupError(missingTable(config.table, config.database));
    if (version > SCHEMA_VERSION) throw new MigrationRefused(newerSchema(version));
    if (version < SCHEMA_VERSION) {
      throw new StartupError(
        `table '${config.table}' is of version ${version}, this program needs ${SCHEMA_VERSION}; ` +
          'run dalga -create-table, or set DALGA_CREATE_TABLE_AT_START=true',
      );
    }
    await probe(session, config);
  });
}

/** A table of that name may be an earlier Dalga's, or something else's: it is left alone. */
function probe(session: SqlSession, config: MysqlConfig): Promise<void> {
  return ofThisProgram(config, async () => {
    await session.run(jobStatements(config.table).probe());
  });
}

async function ofThisProgram({ database, table }: MysqlConfig, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isUnknownColumn(error)) throw error;
    throw new StartupError(
      `database '${database}' has a table '${table}' that is not one of this program's; set DALGA_MYSQL_TABLE`,
    );
  }
}

async function withSession(config: MysqlConfig, work: (session: SqlSession) => Promise<void>): Promise<void> {
  let session: SqlSession | null = null;
  try {
    session = await openSession(config);
    await work(session);
  } catch (error) {
    if (error instanceof StartupError) throw error;
    if (error instanceof MigrationRefused || error instanceof RangeError)
      throw new StartupError(error.message);
    throw explainConnectionError(error, config);
  } finally {
    await session?.close();
  }
}
