import { register } from 'node:module';
import { json } from 'node:stream/consumers';

/**
 * A process of its own that parses SQL: texts on standard input, and for each a list of its errors on standard
 * output, as JSON. dt-sql-parser is written for bundlers: its imports name folders, and files without their
 * extension, which Node does not resolve. This hook does, for that package alone; it does not get on with the
 * hooks of a test runner.
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

register(`data:text/javascript,${encodeURIComponent(HOOK)}`);
const { MySQL } = await import('dt-sql-parser');
const grammar = new MySQL();
const statements = (await json(process.stdin)) as string[];
process.stdout.write(JSON.stringify(statements.map((sql) => grammar.validate(sql))));
