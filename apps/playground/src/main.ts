import { RingView } from './ring/ring-view.ts'
import { SchedulesView } from './schedules/schedules-view.ts'
import { XdpView } from './xdp/xdp-view.ts'

/** The views by the fragment of the page's address. */
const views = {
  '#ring': view('ring-view'),
  '#schedules': view('schedules-view'),
  '#xdp': view('xdp-view'),
}
const links = [...document.querySelectorAll<HTMLAnchorElement>('nav a')]

function view(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`index.html has no ${id}`)
  return found
}

function show(): void {
  const current = location.hash in views ? location.hash : '#ring'
  for (const [hash, root] of Object.entries(views)) root.hidden = hash !== current
  for (const link of links) {
    if (link.hash === current) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
}

new RingView(views['#ring'])
new SchedulesView(views['#schedules'])
new XdpView(views['#xdp'])
window.addEventListener('hashchange', show)
show()
