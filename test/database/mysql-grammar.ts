import { register } from 'node:module';

/**
 * dt-sql-parser is written for bundlers: its imports name folders, and files without their extension, which Node
 * does not resolve. This hook does, for that package alone.
 */
const HOOK = `
  export async function resolve(specifier, context, next) {
    const own = context.parentURL?.includes('/dt-sql-parser/') && specifier.startsWith('.');
    for (const ending of own ? ['.js', '/index.js'] : []) {
      try {
        return await next(specifier + ending, context);
      } catch {}
    }
    return next(specifier, context);
  }
`;

type Grammar = { validate(sql: string): readonly unknown[] };

/** The grammar of MySQL 8. */
export async function mysqlGrammar(): Promise<Grammar> {
  register(`data:text/javascript,${encodeURIComponent(HOOK)}`);
  const { MySQL } = await import('dt-sql-parser');
  return new MySQL();
}
