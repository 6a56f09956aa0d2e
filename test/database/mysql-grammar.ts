import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PROCESS = fileURLToPath(new URL('./mysql-grammar-process.js', import.meta.url));

/** The errors that the grammar of MySQL 8 finds in each statement. */
export function mysqlErrors(statements: readonly string[]): readonly unknown[][] {
  const { stdout, stderr, status } = spawnSync(process.execPath, [PROCESS], {
    input: JSON.stringify(statements),
    env: { PATH: process.env.PATH ?? '' },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the grammar could not be used: ${stderr}`);
  return JSON.parse(stdout);
}
