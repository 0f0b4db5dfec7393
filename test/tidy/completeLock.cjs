// Adds to the lock file the binaries of other platforms that its registry did not list: without them `npm ci` refuses the file. Run it after a change of dependencies: `node test/tidy/completeLock.cjs`.
const { readFileSync, writeFileSync } = require('node:fs');

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const platform = /-(android|darwin|freebsd|linux|openharmony|win32|wasm32)(?:-(arm64|arm|x64|ia32|ppc64|riscv64|s390x|loong64|wasi))?(?:-(.+))?$/;
const missing = Object.values(lock.packages).flatMap(({ dev, optionalDependencies = {} }) =>
  Object.entries(optionalDependencies)
    .filter(([name, version]) => /^\d/.test(version) && platform.test(name) && !lock.packages[`node_modules/${name}`])
    .map(([name, version]) => {
      const [, os, cpu, rest = ''] = platform.exec(name);
      const libc = /musl/.test(rest) ? 'musl' : os === 'linux' ? 'glibc' : undefined;
      return [`node_modules/${name}`, { version, ...(cpu && { cpu: [cpu] }), ...(dev && { dev }), ...(libc && { libc: [libc] }), optional: true, os: [os] }];
    }),
);
const [root, ...rest] = Object.entries(lock.packages);
const packages = Object.fromEntries([root, ...[...rest, ...missing].sort(([a], [b]) => a.localeCompare(b, 'en'))]);
writeFileSync('package-lock.json', `${JSON.stringify({ ...lock, packages }, null, 2)}\n`);
