/** What the schemas of answers are made of, for the OpenAPI document: see schemas.ts. */

export const exactTime = {
  type: 'string',
  format: 'date-time',
  description: 'RFC 3339, UTC, with ms where there are some',
};

export function json(schema: object) {
  return { 'application/json': { schema: whole(schema) } };
}

/** Answers are told whole: all members of their objects are always there. */
function whole(schema: object): object {
  const { properties, items } = schema as { properties?: Record<string, object>; items?: object };
  if (items !== undefined) return { ...schema, items: whole(items) };
  if (properties === undefined) return schema;
  const members = Object.entries(properties).map(([name, member]) => [name, whole(member)]);
  return { ...schema, required: Object.keys(properties), properties: Object.fromEntries(members) };
}
