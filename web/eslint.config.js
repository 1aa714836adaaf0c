import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

/** `higher` may import `lower`, never the other way: ui > state > protocol. */
const layer = (files, forbidden, why) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns: [{ group: forbidden, message: why }] }] },
});

export default tseslint.config(
  { ignores: ['node_modules', 'src/protocol/types.gen.ts', 'scripts', 'eslint.config.js'] },
  ...tseslint.configs.strictTypeChecked,
  { languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } } },
  {
    plugins: { 'react-hooks': hooks },
    rules: {
      'react-hooks/rules-of-hooks': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      '@typescript-eslint/no-non-null-assertion': 'off', // used where an index has just been checked
      'no-restricted-properties': ['error',
        { property: 'innerHTML', message: 'What people write is text, never markup.' },
        { property: 'outerHTML', message: 'What people write is text, never markup.' }],
      'no-restricted-syntax': ['error',
        { selector: 'JSXAttribute[name.name="dangerouslySetInnerHTML"]', message: 'What people write is text, never markup.' }],
    },
  },
  layer(['src/protocol/**'], ['**/state/*', '**/ui/*', 'preact*', '@preact/*'], 'The wire knows neither state nor screen.'),
  layer(['src/state/**'], ['**/ui/*', 'preact', 'preact/*', '@preact/signals'], 'State is tested without a screen.'),
);
