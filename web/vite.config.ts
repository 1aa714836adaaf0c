import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const OUT = '../chatapp/static/client';

/** A compressed copy beside each text: the server packs nothing while it serves. */
const compressed: Plugin = {
  name: 'compressed',
  apply: 'build',
  closeBundle() {
    for (const entry of readdirSync(OUT, { recursive: true, withFileTypes: true })) {
      const path = `${entry.parentPath}/${entry.name}`;
      if (/\.(js|css|html|svg)$/.test(entry.name)) writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
    }
  },
};

/** `npm run dev` serves the client from its source and asks a server at PORT for all else. */
const server = `http://127.0.0.1:${process.env.PORT ?? '3000'}`;

export default defineConfig({
  base: '/client/',
  plugins: [compressed],
  resolve: {
    alias: { react: 'preact/compat', 'react-dom': 'preact/compat', 'react/jsx-runtime': 'preact/jsx-runtime' },
  },
  build: {
    outDir: OUT,
    emptyOutDir: true,
    chunkSizeWarningLimit: 600, // LiveKit’s client, which few calls need
    license: { fileName: 'licenses.md' }, // of what is bundled, as those licences ask for
    assetsInlineLimit: 0, // the content security policy knows no data: scripts or styles
    modulePreload: { polyfill: false },
    target: 'es2022',
    rolldownOptions: {
      input: { index: 'index.html', embed: 'src/embed.ts' },
      output: { entryFileNames: ({ name }) => (name === 'embed' ? 'embed.js' : 'assets/[name]-[hash].js') },
      checks: { moduleLevelDirective: false }, // virtua's "use client" means nothing here
    },
  },
  // Code looks for its parts beside itself: on other people's pages `/client/` is theirs.
  experimental: { renderBuiltUrl: (_name, { hostType }) => (hostType === 'js' ? { relative: true } : undefined) },
  server: {
    cors: true, // the widget may be tried on a page of another origin
    proxy: { '/api': server, '/uploads': server, '/socket.io': { target: server, ws: true } },
  },
  test: { include: ['tests/**/*.test.ts', 'tests/**/*.test.tsx'], restoreMocks: true },
});
