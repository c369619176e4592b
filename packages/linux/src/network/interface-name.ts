import { refused } from '@vring/layout'

/** Bytes of an interface name with its terminating zero. Source: Linux include/uapi/linux/if.h. */
export const IFNAMSIZ = 16

/** @throws VringError ERR_OUT_OF_RANGE for a name that no interface can have */
export function checkInterfaceName(name: string): void {
  if (!/^[^\s/:%]+$/.test(name) || name === '.' || name === '..' || new TextEncoder().encode(name).length >= IFNAMSIZ)
    throw refused('ERR_OUT_OF_RANGE', 'interface', name, `1 to ${IFNAMSIZ - 1} bytes without space, /, : and %`)
}
