/** Two projects: `code` runs everything, `tidy` holds docs against code and is what `npm run check` runs alone. */
const common = {
  transform: { '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } }] },
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '/.local/'],
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.local'],
};
module.exports = {
  // Tests wait for a storage emulator more than they compute.
  maxWorkers: 3,
  reporters: ['default', '<rootDir>/test/tidy/closingLine.cjs'],
  projects: [
    { ...common, displayName: 'code', testMatch: ['<rootDir>/{test,local}/**/*.test.ts'], testPathIgnorePatterns: [...common.testPathIgnorePatterns, 'tidy.test.ts'] },
    { ...common, displayName: 'tidy', testMatch: ['<rootDir>/test/tidy.test.ts'] },
  ],
};
