import { defineConfig, type Plugin } from 'vite'

/**
 * The built page may load its own files and nothing else. Only the built one: the development server brings scripts and a
 * socket of its own.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

const contentSecurityPolicy: Plugin = {
  name: 'content-security-policy',
  apply: 'build',
  transformIndexHtml: () => [
    { tag: 'meta', attrs: { 'http-equiv': 'Content-Security-Policy', content: POLICY }, injectTo: 'head-prepend' },
  ],
}

export default defineConfig({
  // Relative: the page works wherever its folder is served from.
  base: './',
  plugins: [contentSecurityPolicy],
  // The packages' sources, as tests and editors see them: no build of theirs is needed first.
  resolve: { conditions: ['@vring/source', 'module', 'browser', 'development|production'] },
  worker: { format: 'es' },
  build: { target: 'es2022', sourcemap: true, modulePreload: false },
})
