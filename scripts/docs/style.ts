/** One sheet for every page: readable width, both colour schemes; on a phone the navigation comes after the text. */
export const STYLE = `
:root { color-scheme: light dark; --text: light-dark(#1c1e21, #e4e6e9); --back: light-dark(#fff, #16181b); --soft: light-dark(#f3f4f6, #202328);
  --line: light-dark(#d9dce1, #363b42); --link: light-dark(#0b57a4, #8ab8f0); --dim: light-dark(#5b6169, #a3a9b1) }
* { box-sizing: border-box }
body { margin: 0; color: var(--text); background: var(--back); font: 16px/1.6 system-ui, sans-serif; display: grid;
  grid-template: "head main" auto "nav main" 1fr / 16rem minmax(0, 1fr) }
a { color: var(--link) } a:focus-visible, summary:focus-visible { outline: 2px solid var(--link); outline-offset: 2px }
header { grid-area: head; background: var(--soft); border-right: 1px solid var(--line); padding: 1.25rem 1rem .5rem }
.home { font-weight: 700; font-size: 1.2rem; text-decoration: none; color: inherit } .to-pages { display: none }
nav { grid-area: nav; background: var(--soft); border-right: 1px solid var(--line); font-size: .9rem }
.sticky { position: sticky; top: 0; max-height: 100vh; overflow: auto; padding: .5rem 1rem 1.5rem }
nav ul { list-style: none; margin: .25rem 0 .75rem; padding: 0 } nav li a { display: block; padding: .15rem .5rem; text-decoration: none; border-radius: 4px }
nav a[aria-current] { background: var(--line); color: inherit; font-weight: 600 }
summary { cursor: pointer; color: var(--dim); padding: .25rem 0 }
main { grid-area: main; max-width: 58rem; width: 100%; padding: 2rem; margin: 0 auto; overflow-wrap: break-word }
h1 { line-height: 1.2; margin-top: 0 } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem }
pre { background: var(--soft); padding: 1rem; overflow: auto; border-radius: 6px; font-size: .85rem; line-height: 1.45 }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .9em } :not(pre) > code { background: var(--soft); padding: .1em .3em; border-radius: 4px }
main > p, main > ul, main > ol { max-width: 46rem }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: .9rem } th, td { border-bottom: 1px solid var(--line); padding: .4rem .75rem .4rem 0; text-align: left; vertical-align: top }
img { max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: 6px } .file { border-bottom: 1px dotted var(--dim) }
footer { margin-top: 3rem; color: var(--dim); font-size: .8rem }

.first h1 { font-size: 2.1rem; max-width: 40rem; text-wrap: balance } .first h2 { border: 0; margin-top: 2.25rem } .first .lead { font-size: 1.1rem; color: var(--dim); max-width: 44rem }
.seam { margin: 1.75rem 0 } .parts { display: grid; grid-template-columns: 1fr 1fr 1.25fr 1fr 1fr; gap: 1.5rem }
.part { position: relative; border: 1px solid var(--line); border-radius: 8px; padding: .75rem; font-size: .85rem; line-height: 1.4; background: var(--back) }
.part + .part::before { content: "\\2194"; position: absolute; left: -1.5rem; width: 1.5rem; top: 50%; translate: 0 -50%; text-align: center; color: var(--dim) }
.part b { display: block; font-size: .95rem } .part span { color: var(--dim) } .ring { background: var(--soft) }
.plug { border: 2px solid var(--link) } .plug b { color: var(--link) } .plug ul { list-style: none; margin: .25rem 0 0; padding: 0 } .plug li:last-child { font-style: italic }
figcaption, caption { color: var(--dim); font-size: .85rem; text-align: left } figcaption { margin-top: .6rem } caption { padding-bottom: .75rem }
.ways { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 0 1rem }
.ways section { border: 1px solid var(--line); border-radius: 8px; padding: 1rem; display: grid; grid-row: span 4; grid-template-rows: subgrid; gap: 0 }
.ways h3 { margin: 0 } .ways p { margin: .4rem 0; font-size: .95rem; line-height: 1.5 } .ways pre { margin: .25rem 0 .5rem; align-self: end; padding: .6rem; font-size: .75rem }
.links a, .next a { display: inline-block; margin-right: 1rem } .next { margin-top: 2rem }
.bars { width: 100%; font-size: .95rem } .bars th { font-weight: 500; white-space: nowrap } .bars small { display: block; color: var(--dim); font-weight: 400 }
.bars td { text-align: right; font-variant-numeric: tabular-nums } .bars .bar { width: 70% } .bars i { display: block; height: 1.1em; margin-top: .25em; border-radius: 3px; background: var(--link) }
.bars tr:last-child i { background: var(--dim) }
@media (max-width: 800px) { body { display: block } header { display: flex; justify-content: space-between; border: 0; border-bottom: 1px solid var(--line); padding: .6rem 1rem; position: sticky; top: 0; z-index: 1 }
  .to-pages { display: block; padding: .25rem } nav { border: 0; border-top: 1px solid var(--line); scroll-margin-top: 3rem } main { padding: 1.25rem 1rem }
  nav li a { padding: .4rem .5rem }
  .sticky { position: static; max-height: none }
  .first h1 { font-size: 1.6rem } .parts { grid-template-columns: 1fr; gap: 1.4rem } .part + .part::before { content: "\\2195"; left: 0; width: 100%; top: -.7rem }
  .plug ul { display: flex; flex-wrap: wrap; gap: 0 1rem } .ways { grid-template-columns: 1fr } .ways section { margin-bottom: 1rem } .ways pre { font-size: .8rem }
  .bars th { white-space: normal } .bars .bar { width: 50% } }
`
