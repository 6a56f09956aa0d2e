import type { BenchDatabase } from './harness.ts';

/**
 * Rows of real tables that the server has inserted, updated and deleted since its start, in all its databases. MariaDB
 * counts temporary tables elsewhere and has no counters of InnoDB's rows; with MySQL it is the other way round.
 */
export async function rowsWritten(database: BenchDatabase): Promise<number> {
  const connection = await database.connect();
  try {
    const [rows] = await connection.query(
      "SHOW GLOBAL STATUS WHERE Variable_name RLIKE '^(Innodb_rows_(inserted|updated|deleted)|Handler_(write|update|delete))$'",
    );
    const counters = rows as { Variable_name: string; Value: string }[];
    const innodb = counters.filter(({ Variable_name }) => Variable_name.startsWith('Innodb'));
    return (innodb.length > 0 ? innodb : counters).reduce((sum, { Value }) => sum + Number(Value), 0);
  } finally {
    await connection.end();
  }
}
