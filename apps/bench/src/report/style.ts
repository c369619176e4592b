/** The report's style: light and dark, narrow and wide, on paper; no script, nothing from elsewhere. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1c2024; --soft: #5b6570; --line: #d8dee4; --paper: #ffffff; --band: #f3f5f7;
  --c0: #2563a8; --c1: #b3530b; --c2: #23744a; --c3: #7a4ba8; --c4: #a8323a; --c5: #5b6570;
  --base: #66717d; --good: #1a6b3c; --bad: #a8201a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --soft: #a3adb8; --line: #38414a; --paper: #15191d; --band: #1e242a;
    --c0: #7fb2ec; --c1: #f0a15e; --c2: #6cc997; --c3: #c4a0ec; --c4: #f08f95; --c5: #a3adb8;
    --base: #98a2ad; --good: #6cc997; --bad: #ff8f88; }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; margin: .5rem 0 } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem }
p { max-width: 46rem } a { color: var(--c0) }
.skip { position: absolute; left: -99rem } .skip:focus { position: static }
.scroll { overflow-x: auto; margin: .75rem 0 } :focus-visible { outline: 3px solid var(--c0) }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem }
.caption { color: var(--soft); font-size: .9rem; margin: .25rem 0 }
th, td { padding: .3rem .75rem .3rem 0; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top }
thead th { border-bottom: 2px solid var(--line) } tbody th { font-weight: 600 } .n { text-align: right } td.n { white-space: nowrap }
thead th { vertical-align: bottom } tbody th { overflow-wrap: break-word; min-width: 9rem; max-width: 20rem }
figure { margin: 1rem 0 } figcaption { max-width: 46rem } figcaption strong { display: block }
details { margin: .5rem 0 } summary { cursor: pointer; color: var(--soft) } summary strong { color: var(--ink) }
.part { border-left: 2px solid var(--line); padding-left: .75rem }
.note { background: var(--band); border-left: 4px solid var(--c1); padding: .5rem .75rem }
.note ul { margin: .25rem 0; padding-left: 1.25rem } .note li { overflow-wrap: anywhere } pre { background: var(--band); padding: .75rem; overflow-x: auto; white-space: pre-wrap }
svg { display: block; height: auto; min-width: 40rem; max-width: 100% } svg text { fill: var(--ink); font: 13px system-ui, sans-serif }
svg .tick { fill: var(--soft); font-size: 12px } .grid { stroke: var(--line) } svg .inside { fill: var(--paper); font-size: 12px }
.part-base { fill: var(--base) } .part-smapPair { fill: var(--c1) } .part-lfence { fill: var(--c4) }
.part-limitCheck { fill: var(--c0) } .part-mask { fill: var(--c3) } .part-lock { fill: var(--c2) }
.interval { fill: var(--c0); opacity: .22 } .trial { fill: var(--c0); opacity: .75 } .median { stroke: var(--c1); stroke-width: 3 }
.curve { fill: none; stroke-width: 2 } .axis-end { stroke: var(--soft); stroke-dasharray: 3 4 } svg .interval-line { stroke-dasharray: none; stroke-width: 2; opacity: .55 }
${[0, 1, 2, 3, 4, 5].map((i) => `.curve-${i} { stroke: var(--c${i}) } .dot-${i}, svg .end-${i} { fill: var(--c${i}) }`).join('\n')}
.curve-1 { stroke-dasharray: 6 3 } .curve-2 { stroke-dasharray: 2 3 } .curve-3 { stroke-dasharray: 8 3 2 3 } .curve-4 { stroke-dasharray: 1 2 }
@media print { body { max-width: none } details { display: block } }
`
