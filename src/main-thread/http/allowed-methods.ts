import type { FastifyInstance } from 'fastify';

export type AllowedMethods = {
  /** The methods of a path (as it came), for an Allow header; undefined when no route has that path. */
  of(path: string): string | undefined;
};

/** Learns which methods each route's path answers to. To be called before the routes are added. */
export function collectAllowedMethods(app: FastifyInstance): AllowedMethods {
  const methodsOf = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = methodsOf.get(url) ?? new Set();
    for (const each of [method].flat()) methods.add(each);
    methodsOf.set(url, methods);
  });
  return {
    of(path) {
      for (const [url, methods] of methodsOf) {
        if (toRegExp(url).test(path)) return [...methods].sort().join(', ');
      }
      return undefined;
    },
  };
}

/** A route's pattern, `/jobs/:routing_key/:job` or `/docs/static/*`, as a regular expression. */
function toRegExp(url: string): RegExp {
  const pattern = url
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace('*', '.*')
    .replace(/:[^/]+/g, '[^/]*');
  return new RegExp(`^${pattern}$`);
}
