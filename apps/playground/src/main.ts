import { type Address, readAddress } from './page/address.ts'
import { RingView } from './ring/ring-view.ts'
import { SchedulesView } from './schedules/schedules-view.ts'
import { XdpView } from './xdp/xdp-view.ts'

const roots: Readonly<Record<Address['view'], HTMLElement>> = {
  ring: view('ring-view'),
  schedules: view('schedules-view'),
  xdp: view('xdp-view'),
}
const links = [...document.querySelectorAll<HTMLAnchorElement>('nav a')]
/** Addresses of what the views show, for the one that is in sight. */
const shown: Record<Address['view'], string> = { ring: '#ring', schedules: '#schedules', xdp: '#xdp' }

function view(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`index.html has no ${id}`)
  return found
}

/** Keeps the page's address that of what is in sight, so that it can be copied at any step; Back leaves the view. */
function keep(name: Address['view'], address: string): void {
  shown[name] = address
  if (!roots[name].hidden) history.replaceState(null, '', address)
}

function follow(): void {
  const address = readAddress(location.hash)
  for (const [name, root] of Object.entries(roots)) root.hidden = name !== address.view
  for (const link of links) {
    if (link.hash === `#${address.view}`) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
  if (address.view === 'xdp' || address.what === '') keep(address.view, shown[address.view])
  else views[address.view].open(address.what, address.at)
}

const start = readAddress(location.hash)
for (const [name, root] of Object.entries(roots)) root.hidden = name !== start.view
const asked = location.hash
const views = {
  ring: new RingView(roots.ring, (address) => keep('ring', address)),
  schedules: new SchedulesView(roots.schedules, (address) => keep('schedules', address)),
}
new XdpView(roots.xdp)
window.addEventListener('hashchange', follow)
// The views have said what they show by now.
history.replaceState(null, '', asked || '#ring')
follow()
