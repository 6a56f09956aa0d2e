/** progress.mjs's `step`: does slow work under a label, with a function that shows how far it is. */
export type Step = <T>(label: string, work: (detail: (text: string) => void) => Promise<T>) => Promise<T>;
