import ts from 'typescript';

/*
 * The shape of a type of the client and of a schema of the OpenAPI document, both as the same text, as
 * `{ job: string; next: null | string; tags?: string[] }`: members and the parts of a union are sorted. A Date and bytes
 * count as strings, since that is how they are sent.
 */

export type Schema = {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
};

export type Document = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
};

export type Operation = {
  readonly parameters?: readonly { in: string; name: string; required?: boolean; schema: Schema }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >;
};

/** @param document where references lead to */
export function shapeOfSchema(schema: Schema, document: Document): string {
  const shape = (part: Schema): string[] => {
    if (part.$ref !== undefined) return shape(document.components.schemas[part.$ref.split('/').at(-1)!]!);
    if (part.anyOf !== undefined) return part.anyOf.flatMap(shape);
    if (part.enum !== undefined) return part.enum.map((value) => JSON.stringify(value));
    return [part.type ?? 'unknown'].flat().map((type) => {
      if (type === 'integer') return 'number';
      if (type === 'array') return arrayOf(unionOf(shape(part.items ?? {})));
      if (type !== 'object') return type;
      const { properties, required = [], additionalProperties: others } = part;
      if (properties === undefined)
        return recordOf(typeof others === 'object' ? unionOf(shape(others)) : 'unknown');
      return objectOf(
        Object.entries(properties).map(([name, each]) => [
          name,
          required.includes(name),
          unionOf(shape(each)),
        ]),
      );
    });
  };
  return unionOf(shape(schema));
}

/** The parameters of a query string as the members of an object. */
export function shapeOfQuery({ parameters = [] }: Operation, document: Document): string {
  return objectOf(
    parameters
      .filter((each) => each.in === 'query')
      .map(({ name, required = false, schema }) => [name, required, shapeOfSchema(schema, document)]),
  );
}

/** The shapes of the types that these files export, by their names. */
export function shapesOfTypes(files: readonly string[]): ReadonlyMap<string, string> {
  const options = { strict: true, noCheck: true, target: ts.ScriptTarget.ES2023, types: [], noEmit: true };
  const program = ts.createProgram([...files], { ...options, allowImportingTsExtensions: true });
  const checker = program.getTypeChecker();
  const shape = (type: ts.Type): string[] => {
    if (type.isUnion()) return type.types.flatMap(shape);
    if (type.flags & ts.TypeFlags.Undefined) return [];
    if (checker.isArrayType(type))
      return [arrayOf(unionOf(shape(checker.getTypeArguments(type as ts.TypeReference)[0]!)))];
    if (!(type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)))
      return [checker.typeToString(type)];
    if (['Date', 'Uint8Array'].includes(type.symbol?.name ?? '')) return ['string'];
    const index = checker.getIndexTypeOfType(type, ts.IndexKind.String);
    if (index !== undefined) return [recordOf(unionOf(shape(index)))];
    return [
      objectOf(
        checker.getPropertiesOfType(type).map((property) => {
          const required = !(property.flags & ts.SymbolFlags.Optional);
          return [property.name, required, unionOf(shape(checker.getTypeOfSymbol(property)))];
        }),
      ),
    ];
  };
  const shapes = new Map<string, string>();
  for (const file of files) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(file)!)!;
    for (const symbol of checker.getExportsOfModule(module)) {
      if (!(symbol.flags & ts.SymbolFlags.TypeAlias)) continue;
      shapes.set(symbol.name, unionOf(shape(checker.getDeclaredTypeOfSymbol(symbol))));
    }
  }
  return shapes;
}

function objectOf(members: readonly (readonly [name: string, required: boolean, shape: string])[]): string {
  const sorted = members.map(([name, required, shape]) => `${name}${required ? '' : '?'}: ${shape}`).sort();
  return sorted.length === 0 ? '{}' : `{ ${sorted.join('; ')} }`;
}

function recordOf(shape: string): string {
  return `{ [name]: ${shape} }`;
}

function arrayOf(shape: string): string {
  return shape.includes(' | ') ? `(${shape})[]` : `${shape}[]`;
}

/** A text that is any is also a certain one; true or false is boolean. */
function unionOf(parts: readonly string[]): string {
  let all = [...new Set(parts)];
  if (all.includes('string')) all = all.filter((part) => !part.startsWith('"'));
  if (all.includes('true') && all.includes('false'))
    all = [...all.filter((part) => part !== 'true' && part !== 'false'), 'boolean'];
  return all.sort().join(' | ');
}
