/** The report's style: light and dark, narrow and wide, on paper; no script, nothing from elsewhere. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1c2024; --soft: #5b6570; --line: #d8dee4; --paper: #ffffff; --band: #f3f5f7;
  --c0: #2563a8; --c1: #b3530b; --c2: #23744a; --c3: #7a4ba8; --c4: #a8323a; --c5: #5b6570;
  --base: #66717d; --good: #1a6b3c; --bad: #a8201a; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --soft: #a3adb8; --line: #38414a; --paper: #15191d; --band: #1e242a;
    --c0: #7fb2ec; --c1: #f0a15e; --c2: #6cc997; --c3: #c4a0ec; --c4: #f08f95; --c5: #a3adb8;
    --base: #98a2ad; --good: #6cc997; --bad: #ff8f88; }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 58rem; padding: 1rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, sans-serif }
h1 { font-size: 1rem; margin: .5rem 0 0; color: var(--soft); font-weight: 500 }
.headline { font-size: 1.15rem; line-height: 1.4; margin: 0 0 1rem } .headline strong { display: block; font-size: clamp(2.75rem, 11vw, 4.5rem); line-height: 1.15; letter-spacing: -.03em } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem } h3 { font-size: 1rem; margin: 1.5rem 0 .25rem }
small { display: block; font-weight: 400; color: var(--soft); font-size: .8rem } a { color: var(--c0) }
.skip { position: absolute; left: -99rem } .skip:focus { position: static }
.scroll { overflow-x: auto; margin: .75rem 0; background:
  linear-gradient(to left, var(--paper) 40%, transparent) right / 2rem 100% no-repeat local,
  linear-gradient(to left, var(--line), transparent) right / 1rem 100% no-repeat scroll } :focus-visible { outline: 3px solid var(--c0) }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem }
.caption { color: var(--soft); font-size: .9rem; margin: .25rem 0 }
th, td { padding: .3rem .75rem .3rem 0; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top }
thead th { border-bottom: 2px solid var(--line) } tbody th { font-weight: 600 } .n { text-align: right } td.n, .verdict { white-space: nowrap }
.wide { min-width: 13rem } nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 1rem 0 }
.verdict { font-weight: 600 } .verdict::before { display: inline-block; width: 1.2em; content: '' }
.reproduced, .faster { color: var(--good) } .reproduced::before { content: '✓' } .faster::before { content: '↑' }
.not-reproduced, .slower { color: var(--bad) } .not-reproduced::before { content: '✗' } .slower::before { content: '↓' }
.not-tested, .no-change { font-weight: 400 } .not-tested::before { content: '–' } .no-change::before { content: '=' }
thead th { vertical-align: bottom; text-wrap: balance } tbody th { overflow-wrap: break-word; min-width: 9rem; max-width: 20rem }
figure { margin: 1rem 0 } figcaption strong { display: block }
details { margin: .5rem 0 } summary { cursor: pointer; color: var(--soft) } summary strong { color: var(--ink) }
.part { border-left: 2px solid var(--line); padding-left: .75rem }
ul { padding-left: 1.25rem } li, p, summary { overflow-wrap: anywhere } .note { background: var(--band); border-left: 4px solid var(--c1); padding: .5rem .75rem }
.note ul { margin: .25rem 0; padding-left: 1.25rem } .note li { overflow-wrap: anywhere } pre { background: var(--band); padding: .75rem; overflow-x: auto; white-space: pre-wrap }
.chart { overflow-x: auto; margin: .75rem 0 } .chart > svg { display: block; overflow: visible } svg text { fill: var(--ink); font: 13px system-ui, sans-serif }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 0 0 .5rem; font-size: .85rem }
.legend span { display: inline-flex; align-items: center; gap: .35rem; overflow-wrap: anywhere } .legend svg { flex: none }
svg .tick { fill: var(--soft); font-size: 12px } svg .total { font-size: 12px } svg .head { font-weight: 600 } .grid { stroke: var(--line) } svg .inside { fill: var(--paper); font-size: 12px }
.part-base { fill: var(--base) } .part-smapPair { fill: var(--c1) } .part-lfence { fill: var(--c4) }
.part-limitCheck { fill: var(--c0) } .part-mask { fill: var(--c3) } .part-lock { fill: var(--c2) }
.origin-published { fill: var(--base) } .origin-modelled { fill: var(--c3) } .origin-measured { fill: var(--c0) }
.reference { stroke: var(--ink) } .whisker { stroke: var(--ink); stroke-width: 1.5 }
.interval { fill: var(--c0); opacity: .22 } .trial { fill: var(--c0); opacity: .75 } .median { stroke: var(--c1); stroke-width: 3 }
.curve { fill: none; stroke-width: 2 } .axis-end { stroke: var(--soft); stroke-dasharray: 3 4 } svg .interval-line { stroke-dasharray: none; stroke-width: 2; opacity: .55 }
${[0, 1, 2, 3, 4, 5].map((i) => `.curve-${i} { stroke: var(--c${i}) } .dot-${i}, svg .end-${i} { fill: var(--c${i}) }`).join('\n')}
.curve-1 { stroke-dasharray: 6 3 } .curve-2 { stroke-dasharray: 2 3 } .curve-3 { stroke-dasharray: 8 3 2 3 } .curve-4 { stroke-dasharray: 1 2 }
@media (max-width: 40rem) { nav { flex-wrap: nowrap; overflow-x: auto; padding-bottom: .5rem } nav a { white-space: nowrap } tbody th { max-width: 11rem } tbody th:not(.wide), thead th:first-child:not(.wide) { position: sticky; left: 0; background: var(--paper) } .wide { min-width: 12rem } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb; --paper: #fff; --band: #f3f5f7 }
  html { font-size: 12px } body { max-width: none; font-size: 12px } table, .caption { font-size: 10px } .wide { width: 22% }  nav, .skip { display: none } figure, tr { break-inside: avoid } h2 { break-after: avoid }
  .scroll { overflow: visible; background: none } .n, .wide { min-width: 0 } td.n, .verdict { white-space: normal }
  * { print-color-adjust: exact } }
`
