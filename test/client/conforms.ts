import type { Document, Schema } from './shapes.ts';

/**
 * What of a value the schema does not allow, with the path to it; null when it is as the schema says. A member that the
 * schema does not name is a fault too: answers are told whole.
 */
export function faultOf(value: unknown, schema: Schema, document: Document, path = 'answer'): string | null {
  if (schema.$ref !== undefined)
    return faultOf(value, document.components.schemas[schema.$ref.split('/').at(-1)!]!, document, path);
  if (schema.anyOf !== undefined) {
    const faults = schema.anyOf.map((each) => faultOf(value, each, document, path));
    return faults.includes(null) ? null : faults.join(', and ');
  }
  if (schema.enum !== undefined && !schema.enum.includes(value))
    return `${path} is ${JSON.stringify(value)}, and not one of ${JSON.stringify(schema.enum)}`;
  const types = [schema.type ?? []].flat();
  if (types.length > 0 && !types.some((type) => isOf(type, value)))
    return `${path} is ${JSON.stringify(value)}, and not of type ${types}`;
  if (Array.isArray(value))
    return firstFault(
      value.map((item, index) => faultOf(item, schema.items ?? {}, document, `${path}[${index}]`)),
    );
  if (typeof value !== 'object' || value === null || schema.properties === undefined) return null;
  const { properties, required = [] } = schema;
  const missing = required.find((name) => !(name in value));
  if (missing !== undefined) return `${path} has no ${missing}`;
  return firstFault(
    Object.entries(value).map(([name, member]) =>
      properties[name] === undefined
        ? `${path} has ${name}, which the schema does not name`
        : faultOf(member, properties[name], document, `${path}.${name}`),
    ),
  );
}

function firstFault(faults: readonly (string | null)[]): string | null {
  return faults.find((fault) => fault !== null) ?? null;
}

function isOf(type: string, value: unknown): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}
