import { XDP_DROP, XDP_PASS } from './verdict.ts'
import type { XdpProgram } from './xdp-program.ts'

/** Lets every frame through. */
export const xdpPass: XdpProgram = { name: 'xdp_pass', readOnly: true, run: () => XDP_PASS }

/** Drops every frame unread: the floor of what a hook costs. */
export const xdpDrop: XdpProgram = { name: 'xdp_drop', readOnly: true, run: () => XDP_DROP }
