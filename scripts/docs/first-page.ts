import { marked, type Tokens } from 'marked'

/** What the first page links to, by source: a page of the site. */
type Address = (source: string) => string

/** A way into vring: what a reader wants to do, the command that does it, and where it is described. */
interface Way {
  readonly want: string
  readonly says: string
  readonly command: string
  readonly links: readonly (readonly [title: string, source: string])[]
}

const WAYS: readonly Way[] = [
  {
    want: 'Measure',
    says: 'What each way of reaching a ring costs: measured here, modelled, and as Linux published it. No root, under a minute.',
    command: 'npm ci && npm run bench',
    links: [
      ['vring-bench', 'apps/bench/README.md'],
      ['Which accessor?', 'docs/which-accessor.md'],
    ],
  },
  {
    want: 'Serve',
    says: 'A network or block device for DPDK, QEMU and User-Mode Linux over vhost-user: to TAP, AF_XDP, a capture, a file.',
    command: 'npm i -g @vring/serve\nvring-serve --socket /tmp/v.sock \\\n  --backend tap:vring0',
    links: [
      ['vring-serve', 'apps/serve/README.md'],
      ['Security', 'SECURITY.md'],
    ],
  },
  {
    want: 'Build',
    says: 'Rings, rounds and devices as libraries, in Node and in the browser; an accessor or a backend of your own as a plugin.',
    command: 'npm install vring',
    links: [
      ['Packages', 'docs/packages.md'],
      ['Your own accessor', 'docs/tutorial-accessor.md'],
      ['Your own backend', 'docs/tutorial-backend.md'],
    ],
  },
]

/** The ways over the seam that the figure shows. */
const ACCESSORS = ['copy-checked', 'nospec-masked', 'vmap-direct', 'iotlb-translated']

/**
 * The first page: what vring is in one sentence, the seam as a figure, three ways in, and one table of figures.md as bars.
 *
 * @param figures text of docs/figures.md: its first table has the accessors and the floor
 * @param playground address of the playground, or null
 */
export function firstPage(figures: string, address: Address, playground: string | null): string {
  return `<h1>The device side of virtqueues, in TypeScript. How it reaches the ring&rsquo;s memory is a plugin.</h1>
<p class="lead">A driver leaves buffers in a ring in shared memory; vring is the other end. The code that serves a real driver is the
code that is counted, mispredicted and explored: there is no second copy for analysis.</p>
${seamFigure(address)}
<h2 id="ways-in">Three ways in</h2>
<div class="ways">${WAYS.map((way) => wayCard(way, address)).join('')}</div>
${rates(figures, address)}
<p class="next">${[
    ...(playground === null ? [] : [`<a href="${playground}">Step a ring in the playground</a>`]),
    `<a href="${address('README.md')}">Read the overview</a>`,
    `<a href="${address('ARCHITECTURE.md')}">Follow a packet through the code</a>`,
  ].join(' ')}</p>`
}

function seamFigure(address: Address): string {
  const ways = ACCESSORS.map(
    (name) => `<li><a href="${address(`packages/accessor-${name}/README.md`)}">${name}</a></li>`,
  )
  return `<figure class="seam"><div class="parts">
<div class="part"><b>Driver</b><span>DPDK, a guest of QEMU or UML, or in process</span></div>
<div class="part ring"><b>Ring</b><span>descriptor, driver and device area in shared memory; split or packed</span></div>
<div class="part plug"><b>Accessor</b><ul>${ways.join('')}<li><a href="${address('docs/tutorial-accessor.md')}">yours</a></li></ul></div>
<div class="part"><b>Device</b><span>queues, TX and RX rounds, written once</span></div>
<div class="part"><b>Backend</b><span>TAP, AF_XDP, XDP program, capture, block file, yours</span></div>
</div><figcaption>One seam: everything right of the ring reaches it through the accessor, which is a plugin.</figcaption></figure>`
}

function wayCard({ want, says, command, links }: Way, address: Address): string {
  const list = links.map(([title, source]) => `<a href="${address(source)}">${title}</a>`).join(' ')
  return `<section><h3>${want}</h3><p>${says}</p><pre><code>${command.replaceAll('&', '&amp;')}</code></pre><p class="links">${list}</p></section>`
}

/** The first table of the figures as bars: names, medians in millions of packets a second. */
export function ratesOf(figures: string): { readonly name: string; readonly mpps: number }[] {
  const table = marked.lexer(figures).find((token): token is Tokens.Table => token.type === 'table')
  if (table === undefined) throw new Error('docs/figures.md has no table')
  return table.rows.map(([name, rate]) => ({ name: name!.text, mpps: Number.parseFloat(rate!.text) }))
}

function rates(figures: string, address: Address): string {
  const rows = ratesOf(figures)
  const most = Math.max(...rows.map(({ mpps }) => mpps))
  const bars = rows.map(({ name, mpps }) => {
    const [short, ...rest] = name.split(':')
    const note = rest.length === 0 ? '' : `<small>${rest.join(':')}</small>`
    const width = `style="width:${((100 * mpps) / most).toFixed(1)}%"`
    return `<tr><th scope="row">${short}${note}</th><td class="bar"><i ${width}></i></td><td>${mpps.toFixed(1)}</td></tr>`
  })
  return `<h2 id="what-it-costs">What each way costs</h2>
<table class="bars"><caption>Millions of 64-byte packets a second, one thread, split ring of 256, in process: <code>npm run bench</code>.
Two shared cores, medians; <a href="${address('docs/figures.md')}">intervals, real drivers, aims and misses</a>.</caption>
<tbody>${bars.join('')}</tbody></table>`
}
