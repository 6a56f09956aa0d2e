export type SqlValue = string | number | Uint8Array | null;

/** Rows of an INSERT: one `?` after VALUES stands for all of them, as mysql2 has it. */
export type SqlRows = readonly (readonly SqlValue[])[];

/** One SQL statement with `?` for each value. */
export type Statement = { readonly sql: string; readonly values: readonly (SqlValue | SqlRows)[] };
