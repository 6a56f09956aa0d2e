/**
 * Which of two types an Accept header asks for (RFC 9110, section 12.5.1): `named` only when it is named itself,
 * `usual` also by a wildcard or by no header at all. Of two that are as welcome the named one goes first.
 *
 * @returns null when it takes neither
 */
export function choose<Named extends string, Usual extends string>(
  accept: string | undefined,
  named: Named,
  usual: Usual,
): Named | Usual | null {
  if (accept === undefined || accept.trim() === '') return usual;
  const weights = new Map<string, number>();
  for (const range of accept.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
    weights.set(type, Number(weight) || 0);
  }
  const ofNamed = weights.get(named) ?? 0;
  const family = `${usual.split('/')[0]}/*`;
  const ofUsual = weights.get(usual) ?? weights.get(family) ?? weights.get('*/*') ?? 0;
  if (ofNamed === 0 && ofUsual === 0) return null;
  return ofNamed >= ofUsual ? named : usual;
}
