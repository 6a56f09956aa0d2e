import { fileURLToPath } from 'node:url';
import t from 'tap';
import ts from 'typescript';

t.test('the client needs nothing but what browsers have', async (t) => {
  const file = fileURLToPath(new URL('../../../src/client/client.ts', import.meta.url));
  const program = ts.createProgram([file], {
    ...{ strict: true, noEmit: true, types: [], target: ts.ScriptTarget.ES2023 },
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    ...{ module: ts.ModuleKind.NodeNext, allowImportingTsExtensions: true },
  });
  const faults = ts.getPreEmitDiagnostics(program).map(({ messageText, file, start }) => {
    const line = file === undefined ? '' : file.getLineAndCharacterOfPosition(start!).line + 1;
    return `${file?.fileName}:${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
  t.same(faults, []);
});
