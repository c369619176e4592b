/** One sheet for every page: readable width, both colour schemes, navigation above the text on a phone. */
export const STYLE = `
:root { color-scheme: light dark; --text: light-dark(#1c1e21, #e4e6e9); --back: light-dark(#fff, #16181b); --soft: light-dark(#f3f4f6, #202328);
  --line: light-dark(#d9dce1, #363b42); --link: light-dark(#0b57a4, #8ab8f0); --dim: light-dark(#5b6169, #a3a9b1) }
* { box-sizing: border-box }
body { margin: 0; color: var(--text); background: var(--back); font: 16px/1.6 system-ui, sans-serif; display: grid;
  grid-template-columns: 16rem minmax(0, 1fr) }
a { color: var(--link) } a:focus-visible, summary:focus-visible { outline: 2px solid var(--link); outline-offset: 2px }
.skip { position: absolute; left: -99rem } .skip:focus { left: 1rem; top: 1rem; background: var(--back); padding: .5rem; z-index: 1 }
nav { grid-row: 1; position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1.5rem 1rem; background: var(--soft);
  border-right: 1px solid var(--line); font-size: .9rem }
nav .home { font-weight: 700; font-size: 1.2rem; text-decoration: none; color: inherit }
nav ul { list-style: none; margin: .25rem 0 .75rem; padding: 0 } nav li a { display: block; padding: .15rem .5rem; text-decoration: none; border-radius: 4px }
nav a[aria-current] { background: var(--line); color: inherit; font-weight: 600 }
summary { cursor: pointer; color: var(--dim); padding: .25rem 0 }
main { grid-column: 2; max-width: 52rem; width: 100%; padding: 2rem; margin: 0 auto; overflow-wrap: break-word }
h1 { line-height: 1.2; margin-top: 0 } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem }
pre { background: var(--soft); padding: 1rem; overflow: auto; border-radius: 6px; font-size: .85rem; line-height: 1.45 }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .9em } :not(pre) > code { background: var(--soft); padding: .1em .3em; border-radius: 4px }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: .9rem } th, td { border-bottom: 1px solid var(--line); padding: .4rem .75rem .4rem 0; text-align: left; vertical-align: top }
img { max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: 6px } .file { border-bottom: 1px dotted var(--dim) }
footer { margin-top: 3rem; color: var(--dim); font-size: .8rem }
@media (max-width: 800px) { body { display: block } nav { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); padding: 1rem }
  nav details:not(:first-of-type) { display: inline-block; vertical-align: top; margin-right: 1rem } main { padding: 1rem } }
`
