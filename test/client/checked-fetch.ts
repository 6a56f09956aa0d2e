import { faultOf } from './conforms.ts';
import type { Document } from './shapes.ts';

export type CheckedFetch = {
  readonly fetch: typeof fetch;
  /** Answers that are not what the document says. */
  readonly faults: readonly string[];
  /** The operations that were called, as `GET /jobs`. */
  readonly called: ReadonlySet<string>;
  /** Those of the document. */
  readonly operations: ReadonlySet<string>;
};

/** A fetch that compares each answer in JSON with the OpenAPI document of the server. */
export async function checkedFetch(url: string): Promise<CheckedFetch> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as Document;
  const templates = Object.keys(document.paths).map((path): [string, RegExp] => [
    path,
    new RegExp(`^${path.replace(/\{[^}]+\}/g, '[^/]+')}$`),
  ]);
  const faults: string[] = [];
  const called = new Set<string>();
  const check = async (input: string | URL | Request, init?: RequestInit) => {
    const response = await fetch(input, init);
    const { pathname } = new URL(String(input));
    const path = templates.find(([, pattern]) => pattern.test(pathname))?.[0];
    const operation = `${init?.method} ${path ?? pathname}`;
    called.add(operation);
    const told = path === undefined ? undefined : document.paths[path]?.[String(init?.method).toLowerCase()];
    const answer = told?.responses[response.status];
    const media = response.headers.get('content-type')?.split(';')[0] ?? '';
    if (answer === undefined) faults.push(`${operation}: ${response.status} is not in the document`);
    else if (/\bjson$/.test(media)) {
      const schema = answer.content?.[media]?.schema;
      const fault = schema === undefined ? media : faultOf(await response.clone().json(), schema, document);
      if (fault !== null) faults.push(`${operation}: ${response.status}: ${fault}`);
    }
    return response;
  };
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  );
  return { fetch: check, faults, called, operations: new Set(operations) };
}
