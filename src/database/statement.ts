export type SqlValue = string | number | Uint8Array | null;

/** One SQL statement with `?` for each value. */
export type Statement = { readonly sql: string; readonly values: readonly SqlValue[] };
